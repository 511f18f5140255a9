from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from interpreter import HOW, found

GUEST = Path(__file__).with_name("usb_guest.py")


@pytest.fixture(scope="module")
def report(in_lab: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Run the guest once; what it saw of a USB serial port of its own."""
    unix = [interpreter.program for interpreter in found() if interpreter.kind == "unix"]
    if not unix:
        pytest.skip(HOW)
    return in_lab(GUEST, unix[0], time_s=400)


@pytest.mark.lab
class TestARealUsbPort:
    def test_a_bridge_goes_on_within_two_seconds_after_the_plug_is_back_as_another_tty(
        self, report: dict[str, Any]
    ) -> None:
        told = report["replugged"]
        assert told["identity"] == "recording"
        assert all(one != other for one, other in zip(told["ttys"], told["ttys"][1:], strict=False))
        assert min(told["back_s"]) < 2  # a busy machine takes the small Linux's one processor from it at times
        assert max(told["back_s"]) < 20
        assert told["disconnects"] >= 3  # the name by id outlives its tty for a moment, in which that is opened again

    def test_what_was_set_and_moved_is_what_was_asked_for(self, report: dict[str, Any]) -> None:
        told = report["replugged"]
        assert told["lamps"] == [0.125, 0.25, 0.375]
        assert told["wrong_positions"] == 0
        assert told["restarts"] == 0  # the microcontroller had a supply of its own

    def test_outputs_are_safe_within_the_lease_when_the_host_is_killed_or_stopped(self, report: dict[str, Any]) -> None:
        unsafe_s = report["killed"]["unsafe_s"]
        assert {how: min(seen) <= 1.05 for how, seen in unsafe_s.items()} == {"SIGKILL": True, "SIGSTOP": True}
