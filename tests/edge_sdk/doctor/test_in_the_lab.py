"""What the doctor says of real devices in a small Linux: there, gone, locked and broken."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.doctor import CHECKS

GUEST = Path(__file__).with_name("doctor_guest.py")
SERIAL = "E6612483CB1A2B2C"
LINK = "/dev/v4l/by-id/usb-vivid-0001-video-index0"


@pytest.fixture(scope="module")
def report(in_lab: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Run the guest once; its findings by part, state and id, as mark, what and fix; and the texts of a report."""
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv, by which the guest becomes an ordinary user (sudo apt install util-linux)")
    found = in_lab(GUEST, memory="512M", time_s=240)
    written = found["serial"].pop("written")
    by_id: dict[str, Any] = {
        part: {
            state: {each["id"]: (each["mark"], each["what"], each["fix"]) for each in findings}
            for state, findings in states.items()
        }
        for part, states in found.items()
    }
    return by_id | {"written": written}


@pytest.mark.lab
class TestEverything:
    def test_an_ordinary_user_without_a_network_gets_a_finding_from_every_check(self, report: Any) -> None:
        found = report["machine"]["everything"]
        assert set(found) == {check.id for check in CHECKS}
        wrong = {id_: what for id_, (mark, what, _) in found.items() if mark == "failure"}
        assert not wrong
        assert found["inference.answer"][0] == "ok"
        assert found["cache.weights"][1].startswith("0 files in /run/nobody/.cache/edge")


@pytest.mark.lab
class TestGpioChips:
    def test_the_one_that_the_board_should_have_is_missed_by_its_label(self, report: Any) -> None:
        for state in ("absent", "removed"):
            mark, what, fix = report["gpio"][state]["gpio.chips"]
            assert mark == "failure"
            assert "should have pinctrl-rp1" in what
            assert "device tree" in fix

    def test_it_is_found_by_its_label(self, report: Any) -> None:
        assert report["gpio"]["present"]["gpio.chips"] == ("ok", "pinctrl-rp1: /dev/gpiochip0, 54 lines.", "")

    def test_one_that_the_user_may_not_open_comes_with_a_rule(self, report: Any) -> None:
        mark, what, fix = report["gpio"]["locked"]["gpio.chips"]
        assert (mark, what) == ("failure", "This user may not open /dev/gpiochip0.")
        assert "udevadm trigger" in fix


@pytest.mark.lab
class TestACamera:
    def test_none_is_a_warning(self, report: Any) -> None:
        assert report["camera"]["absent"]["camera.answers"][:2] == ("warning", "No camera is there.")
        assert report["camera"]["absent"]["camera.frames"][0] == "nothing"

    def test_one_that_works_delivers_new_frames(self, report: Any) -> None:
        present = report["camera"]["present"]
        assert present["camera.answers"][:2] == ("ok", f"vivid at {LINK}.")
        mark, what, _ = present["camera.frames"]
        assert mark == "ok"
        assert what.startswith(f"{LINK}: 640x480, ")
        assert what.endswith(" of 12 frames differ.")

    def test_one_that_the_user_may_not_open_is_a_failure(self, report: Any) -> None:
        mark, what, fix = report["camera"]["locked"]["camera.answers"]
        assert (mark, what) == ("failure", "This user may not open /dev/video0.")
        assert "sudo chmod" in fix

    def test_one_that_loses_every_frame_is_a_failure(self, report: Any) -> None:
        mark, what, fix = report["camera"]["without_frames"]["camera.frames"]
        assert mark == "failure"
        assert "gives no frame within 6 s" in what
        assert "pull the camera's plug" in fix

    def test_one_that_repeats_a_frame_is_a_failure(self, report: Any) -> None:
        mark, what, _ = report["camera"]["frozen"]["camera.frames"]
        assert mark == "failure"
        assert "all 12 frames are the same to the bit" in what

    def test_one_that_another_program_uses_is_a_warning_with_its_name(self, report: Any) -> None:
        mark, what, fix = report["camera"]["in_use"]["camera.frames"]
        assert mark == "warning"
        assert "is in use by python" in what
        assert fix.startswith("Close python")

    def test_one_that_the_driver_has_lost_does_not_answer(self, report: Any) -> None:
        assert report["camera"]["disconnected"]["camera.answers"][:2] == (
            "warning",
            "/dev/video0: there, but none of them answers as a camera.",
        )


@pytest.mark.lab
class TestAUsbSerialPort:
    def test_none_is_nothing_to_check(self, report: Any) -> None:
        for state in ("absent", "unplugged"):
            assert report["serial"][state]["serial.ports"][:2] == ("nothing", "There is none.")
            assert report["serial"][state]["serial.permission"][0] == "nothing"

    def test_one_that_works_is_told_with_what_it_is(self, report: Any) -> None:
        present = report["serial"]["present"]
        assert present["serial.ports"] == ("ok", "/dev/ttyACM0: Bridge (USB 2e8a:0005).", "")
        assert present["serial.permission"][0] == "ok"
        assert present["serial.modemmanager"][0] == "ok"

    def test_its_serial_number_is_in_no_report(self, report: Any) -> None:
        written = report["written"]
        assert "/dev/ttyACM0" in written["devices.txt"]
        assert "2e8a 0005 Bridge" in written["devices.txt"]
        assert "ttyACM0" in written["kernel.log"]
        assert all(SERIAL not in text for text in written.values())

    def test_one_that_the_user_may_not_open_is_a_failure(self, report: Any) -> None:
        locked = report["serial"]["locked"]
        assert locked["serial.ports"][0] == "ok"
        assert locked["serial.permission"][:2] == ("failure", "This user may not open /dev/ttyACM0.")

    def test_one_without_a_driver_is_told_of_though_it_has_no_node(self, report: Any) -> None:
        mark, what, fix = report["serial"]["without_driver"]["serial.ports"]
        assert mark == "failure"
        assert what == "Bridge (USB 2e8a:0005) is plugged in, but is no serial port: it has no driver."
        assert fix.startswith("sudo modprobe cdc_acm")
