"""The board's own pins on a real kernel: its simulated GPIO chip, and a sensor as registers of its own I2C bus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GUEST = Path(__file__).with_name("pins_guest.py")
SAFE = {"heater": 0, "fan": 1, "pump": 1}  # as the wires have them: the pump's level is inverted


@pytest.fixture(scope="module")
def report(in_lab: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Run the guest once."""
    pytest.importorskip("periphery", reason="python-periphery is not installed (pip install python-periphery)")
    pytest.importorskip("smbus2", reason="smbus2 is not installed (pip install smbus2)")
    return in_lab(GUEST, memory="512M", time_s=240)


@pytest.mark.lab
class TestOutputs:
    def test_they_are_safe_from_the_moment_they_are_claimed(self, report: Any) -> None:
        assert report["use"]["claimed"] == SAFE

    def test_what_is_set_is_what_the_kernel_sees(self, report: Any) -> None:
        assert report["use"]["set"] == {"heater": 1, "fan": 0, "pump": 0}
        assert report["use"]["values"] == {"heater": 1, "fan": 0, "pump": 1}

    def test_they_stay_while_the_lease_is_renewed(self, report: Any) -> None:
        assert report["use"]["kept"] == report["use"]["set"]

    def test_one_that_was_set_for_a_time_goes_back_alone(self, report: Any) -> None:
        assert report["use"]["after"] == {"heater": 0, "fan": 0, "pump": 0}

    def test_a_value_out_of_range_is_refused(self, report: Any) -> None:
        kind, what, _, _ = report["use"]["refused"]
        assert (kind, what) == ("Refused", "heater cannot be set to 2: it takes 0 to 1.")


@pytest.mark.lab
class TestSensors:
    def test_a_bme280_is_read_by_the_microcontrollers_driver(self, report: Any) -> None:
        read = report["use"]["read"]
        assert read["temperature"] == [25.08, "degC"]
        assert read["pressure"] == [pytest.approx(1006.5327, abs=2e-4), "hPa"]
        assert read["humidity"][1] == "%"
        assert 0 < read["humidity"][0] < 100

    def test_a_reading_has_the_time_at_which_it_was_taken(self, report: Any) -> None:
        age_s, uncertainty_s = report["use"]["late_s"]
        assert 0 <= age_s < 5
        assert 0 < uncertainty_s < 1

    def test_they_can_be_streamed(self, report: Any) -> None:
        assert report["use"]["streamed"] == [25.08] * 3

    def test_a_switch_that_pulls_low_is_on(self, report: Any) -> None:
        assert report["use"]["switch"] == [0, 1]


@pytest.mark.lab
class TestEdges:
    def test_every_edge_comes_once_and_in_order(self, report: Any) -> None:
        assert report["edges"]["levels"] == [1, 0] * 10
        assert report["edges"]["missed"] == 0

    def test_the_kernels_time_of_each_is_when_it_was_on_the_monotonic_line(self, report: Any) -> None:
        assert report["edges"]["before_push_s"] <= 0
        assert report["edges"]["after_next_s"] <= 0  # the simulated chip's interrupt comes with the kernel's next tick


@pytest.mark.lab
class TestTheEndOfAProcess:
    @pytest.mark.parametrize(
        ("how", "status"), [("exception", 1), ("exit", 0), ("term", -15), ("hup", -1), ("busy", -15), ("stall", 0)]
    )
    def test_outputs_are_safe_after(self, report: Any, how: str, status: int) -> None:
        ended = report["end"][how]
        assert ended["was"] == {"heater": 1, "fan": 0, "pump": 1}
        assert ended["now"] == SAFE
        assert ended["status"] == status

    def test_a_signal_is_heard_while_a_library_works_for_seconds(self, report: Any) -> None:
        ended = report["end"]["busy"]
        assert ended["safe_s"] is not None
        assert ended["safe_s"] < ended["ended_s"] / 2

    def test_a_copy_of_the_process_that_is_ended_changes_nothing(self, report: Any) -> None:
        assert report["end"]["fork"]["status"] == 1  # the heater was still on

    def test_a_kill_leaves_them_as_they_were_which_is_why_the_chip_matters(self, report: Any) -> None:
        assert report["end"]["kill"]["now"] == report["end"]["kill"]["was"]


@pytest.mark.lab
class TestWhatIsToldWhenItCannotBe:
    def test_a_line_of_another_process_is_told_with_its_user(self, report: Any) -> None:
        pid, status, kind, what, why, _ = report["use"]["second"]
        assert status == 3
        assert (kind, what) == ("PortBusy", "heater cannot be had: its line is in use.")
        assert why.startswith("line 17 of pinctrl-rp1 is used as 'edge heater'. /dev/gpiochip0 is held by ")
        assert f"(pid {pid})" in why

    def test_a_chip_that_is_not_there_is_told_with_those_that_are(self, report: Any) -> None:
        kind, what, why, fix = report["wrong"]["chip"]
        assert (kind, what) == ("NoDevice", "There is no GPIO chip 'pinctrl-bcm2711', on which lamp is to hang.")
        assert why == "There is pinctrl-rp1."
        assert "gpiodetect" in fix

    def test_a_line_beyond_the_chips_last_is_told(self, report: Any) -> None:
        assert report["wrong"]["line"][1] == "lamp is to hang on line 99 of pinctrl-rp1, which has 54 lines."

    def test_a_pin_that_is_no_line_is_told(self, report: Any) -> None:
        assert report["wrong"]["pin"][1] == "Pin 6 of Raspberry Pi 5 Model B is no GPIO line."

    def test_a_header_that_nobody_has_verified_is_told(self, report: Any) -> None:
        kind, what, _, fix = report["wrong"]["header"]
        assert kind == "BridgeError"
        assert what.endswith("is not known: its header has not been verified.")
        assert "label" in fix

    def test_two_things_on_one_line_are_told(self, report: Any) -> None:
        assert report["wrong"]["twice"][1] == "b and a are both to hang on line 17 of pinctrl-rp1."

    def test_a_missing_bus_or_pwm_is_told(self, report: Any) -> None:
        assert report["wrong"]["bus"][1:3] == ["There is no /dev/i2c-7, the bus a.", "There is /dev/i2c-0."]
        assert report["wrong"]["pwm"][0] == "NoDevice"

    def test_a_name_that_is_not_there_is_told(self, report: Any) -> None:
        assert report["use"]["unknown"][:2] == ["UnknownName", "The pins have no sensor 'wind'."]
