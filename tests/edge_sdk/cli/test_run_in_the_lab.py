"""``edge run`` and ``edge bridge`` on the pins of a real kernel: its simulated GPIO chip and I2C bus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GUEST = Path(__file__).with_name("rules_guest.py")


@pytest.fixture(scope="module")
def report(in_lab: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Run the guest once."""
    pytest.importorskip("periphery", reason="python-periphery is not installed (pip install python-periphery)")
    pytest.importorskip("smbus2", reason="smbus2 is not installed (pip install smbus2)")
    return in_lab(GUEST, memory="512M", time_s=240)


@pytest.mark.lab
class TestRules:
    def test_a_dry_run_reads_the_sensor_and_leaves_every_line_as_it_was(self, report: dict[str, Any]) -> None:
        status, said, error = report["dry"]
        assert (status, error) == (0, "")
        assert "warm: would set heater to 1" in said
        assert "temperature 25.08 degC" in said
        before, after = report["untouched"]
        assert before == after

    def test_with_act_the_kernel_sees_what_is_set(self, report: dict[str, Any]) -> None:
        assert report["acting"]["set"]["heater"] == 1

    def test_an_output_goes_back_when_its_time_is_over(self, report: dict[str, Any]) -> None:
        assert report["acting"]["set"]["pump"] == 1

    def test_a_stop_by_the_service_manager_ends_it_in_order_and_safe(self, report: dict[str, Any]) -> None:
        acting = report["acting"]
        assert acting["status"] == 0
        assert acting["told"][-1]["text"].endswith("all outputs are safe.")
        assert not [each for each in acting["told"] if each["kind"] == "problem"]


@pytest.mark.lab
class TestCommands:
    def test_a_sensor_is_read_while_rules_have_the_outputs(self, report: dict[str, Any]) -> None:
        status, said, _ = report["acting"]["read"]
        assert status == 0
        assert said.startswith("temperature  25.08 degC  at ")

    def test_an_output_that_rules_have_is_not_taken_from_them(self, report: dict[str, Any]) -> None:
        status, _, error = report["acting"]["busy"]
        assert status == 1
        assert "heater cannot be had: its line is in use." in error

    def test_an_output_is_set_for_a_while(self, report: dict[str, Any]) -> None:
        status, said, _ = report["one"]
        assert status == 0
        assert said.splitlines() == [
            "heater is at 1. It goes back to 0 in 0.3 s, but a kill -9 leaves it on.",
            "heater goes back to 0.",
        ]
