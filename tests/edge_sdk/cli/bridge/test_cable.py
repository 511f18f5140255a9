"""``edge bridge`` on a real USB serial port, with the firmware in MicroPython at its other end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[3]
GUEST = Path(__file__).with_name("cable_guest.py")


@pytest.fixture(scope="module")
def report(in_lab: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Run the guest once; what the commands said there."""
    sys.path.insert(0, str(TESTS / "micropython"))
    from interpreter import HOW, found

    unix = [interpreter.program for interpreter in found() if interpreter.kind == "unix"]
    if not unix:
        pytest.skip(HOW)
    return in_lab(GUEST, unix[0], time_s=400)


@pytest.mark.lab
class TestARealUsbPort:
    def test_nothing_is_listed_before_it_is_plugged_in(self, report: dict[str, Any]) -> None:
        assert report["empty"]["out"].startswith("There is no serial device.")

    def test_it_is_listed_by_its_lasting_name_and_says_that_it_is_a_bridge(self, report: dict[str, Any]) -> None:
        (told,) = json.loads(report["list"]["out"])
        assert told["names"] == [report["name"]]
        assert (told["node"], told["usb_id"]) == (report["node"], "2e8a:0005")
        assert told["what"] == "Recording (USB 2e8a:0005)"
        assert told["answers"]["kind"] == "bridge"
        assert (told["held_by"], told["fix"]) == ([], None)

    def test_without_an_address_the_one_device_is_taken(self, report: dict[str, Any]) -> None:
        told = json.loads(report["info"]["out"])
        assert told["address"] == report["name"]
        assert told["board"] == "recording"

    def test_the_selftest_passes_and_sees_the_lamp_go_out(self, report: dict[str, Any]) -> None:
        assert report["selftest"]["status"] == 0, report["selftest"]["out"]
        assert "(lamp was on); all 2 outputs are safe." in report["selftest"]["out"]

    def test_who_has_it_is_named_by_all_that_want_it(self, report: dict[str, Any]) -> None:
        held = report["held"]
        holder = f"(pid {held['pid']})"
        assert holder in json.loads(held["list"]["out"])[0]["held_by"][0]
        assert holder in held["info"]["err"]
        assert "everything goes safe" in held["stop"]["err"]

    def test_an_output_that_is_held_goes_back_with_ctrl_c(self, report: dict[str, Any]) -> None:
        assert report["held"]["said"].splitlines()[-1] == "lamp goes back to 0."
        assert report["held"]["status"] == 130
        assert report["sets"][-1] == 0

    def test_an_axis_is_moved(self, report: dict[str, Any]) -> None:
        assert report["move"]["out"].splitlines()[-1] == "Moving x by -40 um: done; it is at -40 um."

    def test_when_the_plug_is_out_it_says_so(self, report: dict[str, Any]) -> None:
        assert report["gone"]["status"] == 1
        assert "There is no serial device" in report["gone"]["err"]
