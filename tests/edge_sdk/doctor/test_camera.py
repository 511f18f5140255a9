from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from edge_sdk.doctor.camera import camera_answers, camera_frames
from edge_sdk.errors import CameraError
from edge_sdk.frame import Frame
from edge_sdk.sources import open_camera
from edge_sdk.sources.v4l2 import Device

Told = Callable[[Any], list[tuple[str, str]]]
SCOPE = Device("/dev/video0", "/dev/v4l/by-id/usb-Scope-video-index0", "Scope")


class FakeCamera:
    """Gives frames whose level goes up and down by a step, ten a second, or an error after some."""

    def __init__(self, level: int = 100, step: int = 1, ends: int | None = None) -> None:
        self.level, self.step, self.ends = level, step, ends
        self.taken = 0

    def __enter__(self) -> FakeCamera:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def capture(self) -> Frame:
        if self.ends == self.taken:
            raise CameraError("It is gone.")
        self.taken += 1
        pixels = np.full((48, 64, 3), self.level + self.step * (self.taken % 3), np.uint8)
        return Frame(pixels, self.taken / 10, self.taken, "fake")


def looked(machine: Any, camera: FakeCamera) -> Any:
    clock: Iterator[float] = itertools.count(0.0, 0.1)
    ((finding),) = camera_frames(
        machine(), find=lambda: [SCOPE], open_=lambda uri, timeout_s: camera, clock=lambda: next(clock)
    )
    return finding


class TestAnswers:
    def test_each_camera_is_named_by_its_stable_name(self, machine: Any, told: Told) -> None:
        here = machine({"dev/video0": ""})
        assert told(camera_answers(here, find=lambda: [SCOPE])) == [
            ("ok", "Scope at /dev/v4l/by-id/usb-Scope-video-index0.")
        ]

    def test_none_is_a_warning(self, machine: Any, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        assert told(camera_answers(machine(), find=list)) == [("warning", "No camera is there.")]

    def test_without_one_the_program_for_the_boards_connector_is_named(
        self, machine: Any, told: Told, put_on_path: Callable[..., Any]
    ) -> None:
        put_on_path("rpicam-vid")
        ((mark, what),) = told(camera_answers(machine(), find=list))
        assert mark == "nothing"
        assert "rpicam-vid" in what


# A Raspberry Pi 5 without the entry for its ribbon's receiver, or any other board's raw data.
RAW = [Device(f"/dev/video{number}", f"/dev/video{number}", "rp1-cfe") for number in range(3)]


class TestARibbonCamera:
    @pytest.fixture(autouse=True)
    def rpicam(self, put_on_path: Callable[..., Any]) -> None:
        put_on_path("rpicam-vid")

    def looked(self, machine: Any, devices: list[Device], cameras: dict[str, FakeCamera]) -> list[tuple[str, str]]:
        def opened(uri: str, timeout_s: float) -> Any:
            if uri not in cameras:
                raise CameraError("It does not open.")
            return cameras[uri]

        clock: Iterator[float] = itertools.count(0.0, 0.1)
        found = camera_frames(machine(), find=lambda: devices, open_=opened, clock=lambda: next(clock))
        return [(finding.mark, finding.what.partition(":")[0]) for finding in found]

    def test_its_raw_nodes_do_not_keep_the_boards_program_from_being_tried(self, machine: Any) -> None:
        assert self.looked(machine, RAW, {"rpicam://0": FakeCamera()}) == [("ok", "rpicam")]

    def test_one_on_usb_goes_before_it(self, machine: Any) -> None:
        assert self.looked(machine, [SCOPE, *RAW], {SCOPE.stable: FakeCamera()}) == [("ok", SCOPE.stable)]

    def test_where_the_program_fails_the_nodes_are_tried(self, machine: Any) -> None:
        found = self.looked(machine, RAW[:1], {"/dev/video0": FakeCamera()})
        assert [mark for mark, _ in found] == ["failure", "ok"]

    def test_its_raw_nodes_are_not_called_cameras(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(camera_answers(machine(), find=lambda: RAW))
        assert mark == "nothing"
        assert "rpicam-vid" in what


def test_a_node_without_a_stable_name_is_looked_at_where_the_board_has_no_program(
    machine: Any, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert told(camera_answers(machine(), find=lambda: RAW[:1])) == [("ok", "rp1-cfe at /dev/video0.")]


class TestFrames:
    def test_new_frames_are_fine(self, machine: Any) -> None:
        finding = looked(machine, FakeCamera())
        assert finding.mark == "ok"
        assert finding.what == f"{SCOPE.stable}: 64x48, 10 a second; 3 of 12 frames differ."

    def test_the_same_frame_again_and_again_is_a_failure(self, machine: Any) -> None:
        finding = looked(machine, FakeCamera(step=0))
        assert finding.mark == "failure"
        assert "all 12 frames are the same to the bit" in finding.what

    @pytest.mark.parametrize(("level", "word"), [(0, "black"), (253, "white")])
    def test_a_picture_of_nothing_is_a_warning(self, machine: Any, level: int, word: str) -> None:
        finding = looked(machine, FakeCamera(level))
        assert (finding.mark, finding.what.rpartition(" ")[2]) == ("warning", f"{word}.")

    def test_no_frame_is_a_failure(self, machine: Any) -> None:
        finding = looked(machine, FakeCamera(ends=0))
        assert finding.mark == "failure"
        assert "gives no frame within 6 s" in finding.what

    def test_a_single_frame_is_a_warning(self, machine: Any) -> None:
        assert looked(machine, FakeCamera(ends=1)).mark == "warning"

    def test_one_that_cannot_be_opened_says_why(self, machine: Any) -> None:
        ((finding),) = camera_frames(
            machine(), find=lambda: [Device("/dev/no-such", "/dev/v4l/by-id/no-such", "Gone")], open_=open_camera
        )
        assert finding.mark == "failure"
        assert "There is no camera at /dev/v4l/by-id/no-such" in finding.what

    def test_the_shipped_simulation_passes_for_a_camera(self, machine: Any) -> None:
        ((finding),) = camera_frames(machine(), find=lambda: [Device("sim", "sim://smear", "Simulation")])
        assert finding.mark == "ok"
        assert "640x480" in finding.what
