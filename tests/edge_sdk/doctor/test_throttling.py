from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge_sdk.doctor.throttling import throttle_boot, throttle_now

Told = Callable[[Any], list[tuple[str, str]]]
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
ZONE = "sys/class/thermal/thermal_zone0"
WARM = {
    f"{ZONE}/type": "cpu-thermal\n",
    f"{ZONE}/temp": "61234\n",
    f"{ZONE}/trip_point_0_type": "passive\n",
    f"{ZONE}/trip_point_0_temp": "85000\n",
}


class TestNow:
    # Source of the bits: raspberrypi.com/documentation/computers/os.html#get_throttled.
    @pytest.mark.parametrize(
        ("bits", "mark", "part", "fix"),
        [
            ("0", "ok", "Nothing slows it down. The hottest place, cpu-thermal, has 61 °C.", ""),
            ("50005", "failure", "its supply's voltage is too low (throttled)", "supply"),
            ("e0008", "warning", "it is too hot (soft temperature limit)", "fan"),
            ("50000", "ok", "Nothing slows it down", ""),
        ],
    )
    def test_causes(self, machine: Any, bits: str, mark: str, part: str, fix: str) -> None:
        ((finding),) = throttle_now(machine({**WARM, FIRMWARE: f"{bits}\n"}))
        assert finding.mark == mark
        assert part in finding.what
        assert fix in finding.fix

    def test_a_temperature_beyond_the_limit_is_a_warning_where_nothing_else_tells(
        self, machine: Any, told: Told
    ) -> None:
        ((mark, what),) = told(throttle_now(machine({**WARM, f"{ZONE}/temp": "86000\n"})))
        assert (mark, what) == (
            "warning",
            "The hottest place, cpu-thermal, has 86 °C. From 85 °C on it is slowed down.",
        )

    def test_a_machine_that_does_not_tell_is_no_failure(self, machine: Any, told: Told) -> None:
        assert told(throttle_now(machine())) == [("nothing", "This machine does not tell whether it is slowed down.")]


class TestSinceBoot:
    @pytest.mark.parametrize(
        ("bits", "expected"),
        [
            ("0", ["ok"]),
            ("50000", ["warning"]),
            ("d0000", ["warning", "warning"]),
        ],
    )
    def test_each_cause_is_a_warning(self, machine: Any, told: Told, bits: str, expected: list[str]) -> None:
        assert [mark for mark, _ in told(throttle_boot(machine({FIRMWARE: f"{bits}\n"})))] == expected

    def test_a_machine_that_does_not_keep_it_is_no_failure(self, machine: Any, told: Told) -> None:
        assert told(throttle_boot(machine()))[0][0] == "nothing"
