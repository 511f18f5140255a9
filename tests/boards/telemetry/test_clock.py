from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boards.telemetry import DeviceClock, Telemetry

Grow = Callable[[dict[str, str]], Path]


def policy(cpu: int, cpus: str, driver: str = "cpufreq-dt", **khz: str) -> dict[str, str]:
    folder = f"sys/devices/system/cpu/cpufreq/policy{cpu}"
    files = {f"{folder}/related_cpus": f"{cpus}\n", f"{folder}/scaling_driver": f"{driver}\n"}
    usual = {"cpuinfo_min": "408000", "cpuinfo_max": "2400000", "scaling_max": "2400000", "scaling_cur": "1800000"}
    for name, value in (usual | khz).items():
        files[f"{folder}/{name}_freq"] = f"{value}\n"
    return files


def test_clusters_are_told_in_hertz(tree: Grow) -> None:
    # A ROCK 5A's three policies.
    little = policy(0, "0 1 2 3", cpuinfo_max="1800000", scaling_max="1800000", scaling_cur="1608000")
    clocks = Telemetry(tree(little | policy(4, "4 5") | policy(6, "6 7", scaling_max="1200000"))).read().cpu_clocks
    assert [(clock.name, clock.cpus) for clock in clocks] == [
        ("policy0", (0, 1, 2, 3)),
        ("policy4", (4, 5)),
        ("policy6", (6, 7)),
    ]
    assert [clock.highest_hz for clock in clocks] == [1_800_000_000, 2_400_000_000, 2_400_000_000]
    assert [clock.limit_hz for clock in clocks] == [1_800_000_000, 2_400_000_000, 1_200_000_000]
    assert clocks[0].current_hz == 1_608_000_000
    assert clocks[0].lowest_hz == 408_000_000


def test_a_clock_that_is_not_measured_is_held_back_or_not_as_far_as_known(tree: Grow) -> None:
    (clock,) = Telemetry(tree(policy(0, "0-3"))).read().cpu_clocks
    assert (clock.measured_hz, clock.held_back) == (None, None)


@pytest.mark.parametrize(("measured", "held_back"), [("1800000", False), ("1700000", False), ("600000", True)])
def test_hardware_that_runs_slower_than_asked_is_held_back(tree: Grow, measured: str, held_back: bool) -> None:
    reading = Telemetry(tree(policy(0, "0-3", cpuinfo_cur=measured))).read()
    assert reading.cpu_clocks[0].held_back is held_back
    assert reading.throttled is held_back
    assert reading.causes == (("unknown",) if held_back else ())


def test_a_processor_that_tells_averages_is_not_called_held_back(tree: Grow) -> None:
    reading = Telemetry(tree(policy(0, "0", driver="acpi-cpufreq", cpuinfo_cur="600000"))).read()
    assert (reading.cpu_clocks[0].measured_hz, reading.throttled) == (600_000_000, None)


def test_a_core_that_is_off_has_no_clock_to_measure(tree: Grow) -> None:
    reading = Telemetry(tree(policy(0, "0", cpuinfo_cur="0"))).read()
    assert (reading.cpu_clocks[0].measured_hz, reading.throttled, reading.unreadable) == (None, None, ())


def test_clocks_that_take_long_to_measure_are_measured_in_turn(tree: Grow) -> None:
    files: dict[str, str] = {}
    for cpu in (0, 4, 8):
        files |= policy(cpu, str(cpu), driver="tegra194", cpuinfo_cur="1800000")
    telemetry = Telemetry(tree(files))
    rounds = [[clock.measured_hz is not None for clock in telemetry.read().cpu_clocks] for _ in range(4)]
    assert rounds == [[True, False, False], [False, True, False], [False, False, True], [True, False, False]]


@pytest.mark.parametrize("text", ["<unknown>", "", "0", "-1"])
def test_a_clock_that_makes_no_sense_is_none_and_named(tree: Grow, text: str) -> None:
    reading = Telemetry(tree(policy(0, "0", scaling_cur=text))).read()
    assert (reading.cpu_clocks[0].current_hz, reading.cpu_clocks[0].limit_hz) == (None, 2_400_000_000)
    assert "policy0/scaling_cur_freq" in reading.unreadable[0]


def test_kernels_that_keep_a_policy_at_each_core_tell_it_once(tree: Grow) -> None:
    files = {}
    for cpu in (0, 1, 2):
        shared = "0 1" if cpu < 2 else "2"
        for name, text in policy(0, shared).items():
            files[name.replace("cpufreq/policy0", f"cpu{cpu}/cpufreq")] = text
    clocks = Telemetry(tree(files)).read().cpu_clocks
    assert [(clock.name, clock.cpus) for clock in clocks] == [("policy0", (0, 1)), ("policy2", (2,))]


def test_devices_tell_what_they_are_limited_to(tree: Grow) -> None:
    # The NPU of a Rockchip RK3588.
    folder = "sys/class/devfreq/fdab0000.npu"
    root = tree(
        {
            f"{folder}/cur_freq": "300000000\n",
            f"{folder}/max_freq": "600000000\n",
            f"{folder}/available_frequencies": "300000000 400000000 600000000 1000000000\n",
        }
    )
    assert Telemetry(root).read().device_clocks == (
        DeviceClock("fdab0000.npu", 300_000_000, 600_000_000, 1_000_000_000),
    )


def test_a_device_without_power_stands_still(tree: Grow) -> None:
    root = tree({"sys/class/devfreq/gpu/cur_freq": "0\n", "sys/class/devfreq/gpu/max_freq": "918000000\n"})
    reading = Telemetry(root).read()
    assert reading.device_clocks == (DeviceClock("gpu", 0, 918_000_000, None),)
    assert reading.unreadable == ()


def test_a_real_trees_clock(material: Path) -> None:
    root = material / "captures" / "procfs"
    if not root.is_dir():
        pytest.skip(f"no capture at {root}")
    (clock,) = Telemetry(root).read().cpu_clocks
    assert (clock.name, clock.cpus, clock.driver) == ("policy1", (1,), "intel_pstate")
    assert (clock.lowest_hz, clock.highest_hz, clock.limit_hz) == (1_200_000_000, 3_300_000_000, 3_300_000_000)
    assert (clock.current_hz, clock.measured_hz) == (None, 1_200_195_000)
