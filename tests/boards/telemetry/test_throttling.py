from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boards.telemetry import Telemetry

Grow = Callable[[dict[str, str]], Path]


def counters(*counts: int, name: str = "soctherm_oc") -> dict[str, str]:
    folder = "sys/class/hwmon/hwmon3"
    return {f"{folder}/oc{n}_event_cnt": f"{count}\n" for n, count in enumerate(counts, 1)} | {f"{folder}/name": name}


def cooling(number: int, kind: str, state: int) -> dict[str, str]:
    folder = f"sys/class/thermal/cooling_device{number}"
    return {f"{folder}/type": kind, f"{folder}/cur_state": f"{state}\n", f"{folder}/max_state": "8\n"}


def cpu(number: int, package: int, core_count: int, package_count: int) -> dict[str, str]:
    folder = f"sys/devices/system/cpu/cpu{number}"
    return {
        f"{folder}/topology/physical_package_id": f"{package}\n",
        f"{folder}/thermal_throttle/core_throttle_count": f"{core_count}\n",
        f"{folder}/thermal_throttle/package_throttle_count": f"{package_count}\n",
    }


class TestAJetsonsCounters:
    def test_tell_the_supplys_voltage_from_current(self, tree: Grow) -> None:
        signs = Telemetry(tree(counters(1, 15, 0))).read().throttling
        assert [(sign.cause, sign.since_boot) for sign in signs] == [
            ("under-voltage", True),
            ("current", True),
            ("current", False),
        ]
        assert signs[1].detail == "15 events since boot"

    def test_say_nothing_of_now_until_they_were_read_twice(self, tree: Grow) -> None:
        telemetry = Telemetry(tree(counters(0, 15, 37)))
        assert telemetry.read().throttled is None
        assert telemetry.read().throttled is False
        tree(counters(0, 15, 40))
        reading = telemetry.read()
        assert (reading.throttled, reading.causes) == (True, ("current",))
        assert telemetry.read().throttled is False

    def test_of_an_unknown_chip_are_all_of_current(self, tree: Grow) -> None:
        signs = Telemetry(tree(counters(1, name="other"))).read().throttling
        assert [sign.cause for sign in signs] == ["current"]


class TestCoolingDevices:
    def test_that_lower_a_clock_are_a_sign_of_heat(self, tree: Grow) -> None:
        # A Rockchip RK3588: one of the big clusters and the GPU.
        root = tree(cooling(0, "cpufreq-cpu4", 3) | cooling(1, "devfreq-fb000000.gpu", 0) | cooling(2, "pwm-fan", 3))
        reading = Telemetry(root).read()
        assert [(sign.now, sign.detail) for sign in reading.throttling] == [
            (True, "cpufreq-cpu4 at 3 of 8"),
            (False, "devfreq-fb000000.gpu at 0 of 8"),
        ]
        assert reading.causes == ("heat",)

    def test_a_fan_alone_tells_nothing(self, tree: Grow) -> None:
        assert Telemetry(tree(cooling(0, "pwm-fan", 4))).read().throttled is None

    def test_what_was_seen_once_stays_known(self, tree: Grow) -> None:
        telemetry = Telemetry(tree(cooling(0, "cpufreq-cpu0", 1)))
        assert telemetry.read().throttling[0].since_boot is True
        tree(cooling(0, "cpufreq-cpu0", 0))
        sign = telemetry.read().throttling[0]
        assert (sign.now, sign.since_boot) == (False, True)


class TestAPCsCounters:
    def test_are_added_with_each_package_counted_once(self, tree: Grow) -> None:
        root = tree(cpu(0, 0, 1, 100) | cpu(1, 0, 2, 100) | cpu(10, 1, 4, 1000))
        (sign,) = Telemetry(root).read().throttling
        assert (sign.cause, sign.now, sign.since_boot) == ("heat", None, True)
        assert sign.detail == "1107 events since boot"

    def test_of_a_core_that_was_off_for_a_while_are_not_taken_for_new(self, tree: Grow) -> None:
        root = tree(cpu(0, 0, 1, 1) | cpu(1, 0, 7, 1))
        telemetry = Telemetry(root)
        telemetry.read()
        counter = root / "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count"
        counter.unlink()
        assert telemetry.read().throttled is False
        counter.write_text("7\n")
        assert telemetry.read().throttled is False

    def test_that_stand_at_nothing_mean_a_cool_machine(self, tree: Grow) -> None:
        telemetry = Telemetry(tree(cpu(0, 0, 0, 0)))
        telemetry.read()
        (sign,) = telemetry.read().throttling
        assert (sign.now, sign.since_boot) == (False, False)

    def test_of_a_real_machine(self, material: Path) -> None:
        root = material / "captures" / "procfs"
        if not root.is_dir():
            pytest.skip(f"no capture at {root}")
        signs = [sign for sign in Telemetry(root).read().throttling if "throttle" in sign.source]
        assert [(sign.cause, sign.since_boot, sign.detail) for sign in signs] == [
            ("heat", True, f"{10084 + 523 + 34818} events since boot")
        ]
