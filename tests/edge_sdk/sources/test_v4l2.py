from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.errors import CameraError
from edge_sdk.sources import open_camera, v4l2

GUEST = Path(__file__).with_name("vivid_guest.py")
LINK = "/dev/v4l/by-id/usb-vivid-0001-video-index0"


@pytest.fixture(scope="module")
def report(in_lab: Callable[..., dict[str, Any]], material: Path) -> dict[str, Any]:
    """Run the guest once; what it saw of the kernel's test camera."""
    model = material / "models" / "mobilenet_v2_1.0_224_quant.tflite"
    if not model.exists():
        pytest.skip(f"no model at {model}")
    return in_lab(GUEST, str(model), memory="512M", time_s=240, log=True)


@pytest.mark.lab
class TestARealKernelsCamera:
    def test_it_is_found_without_a_name_and_called_by_its_stable_one(self, report: dict[str, Any]) -> None:
        assert report["plain"]["sources"] == [LINK]
        assert report["plain"]["repr"].startswith(f"<Camera {LINK}, open, ")

    def test_its_frames_come_whole_and_in_order(self, report: dict[str, Any]) -> None:
        plain = report["plain"]
        assert plain["shapes"] == [[480, 640, 3]]
        # On a busy machine a frame may be replaced by a newer one before it is taken; then its number is missing.
        assert len(set(plain["sequences"])) == 31
        assert plain["sequences"] == sorted(plain["sequences"])
        assert plain["sequences"][-1] - plain["sequences"][0] < 60
        assert 20 < plain["brightness"][0] < 235

    def test_it_takes_the_size_that_is_asked_for(self, report: dict[str, Any]) -> None:
        assert report["size"] == [180, 320, 3]
        assert report["raw"]
        assert report["format"] == [480, 640, 3]
        assert report["colours"] > 7  # the test picture's bars
        assert "was asked for 7 and gives 10" in report["log"]

    def test_its_rate_is_kept_while_a_model_runs_without_a_pause(self, report: dict[str, Any]) -> None:
        turns = report["busy"]["turns"]
        for turn in turns:
            assert turn["busy_share"] > 0.3  # 0.99 on a machine with nothing else to do
            # Every frame was either looked at or replaced by a newer one; a few may have come since the last.
            assert 1 <= turn["looked_at"] + turn["dropped"] - turn["last"] <= 10
        rate_hz, idle_hz = max(turn["rate_hz"] for turn in turns), max(report["busy"]["idle_hz"])
        # In turns with the model none would be dropped; where the machine has too much else to do, none need be.
        assert max(turn["dropped"] for turn in turns) > 0 or rate_hz < 0.8 * idle_hz
        # 0.99 on a machine with nothing else to do; a third of it leaves room for one that has.
        assert rate_hz > 0.33 * idle_hz

    def test_frames_that_are_lost_on_the_way_do_not_stop_it(self, report: dict[str, Any]) -> None:
        lost = report["lost"]
        assert (lost["some"], lost["after"], lost["state"]) == (20, 5, "open")
        assert "gave no frame within 1 s" in lost["message"]

    def test_a_picture_that_stands_still_to_the_bit_is_a_frozen_camera(self, report: dict[str, Any]) -> None:
        frozen = report["frozen"]
        assert "is frozen: its last 30 frames are repeats" in frozen["message"]
        assert (frozen["state"], frozen["after"]) == ("frozen", "open")

    def test_after_a_disconnect_it_goes_on_by_itself(self, report: dict[str, Any]) -> None:
        gap = report["disconnect"]
        assert gap["state"] == "open"
        assert gap["sequences"] == sorted(gap["sequences"])
        assert gap["gap_s"] > 0.4  # The first try comes after half a second.

    def test_plugged_into_another_port_it_is_found_by_its_stable_name(self, report: dict[str, Any]) -> None:
        unplug = report["unplug"]
        assert "is gone, and did not come back within 1 s" in unplug["gone"]
        assert (unplug["name"], unplug["node"]) == (LINK, "/dev/video5")
        assert unplug["brightness"] > 20

    def test_closing_it_leaves_no_thread_behind(self, report: dict[str, Any]) -> None:
        assert report["unplug"]["threads"] == [2, 1]

    @pytest.mark.parametrize("name", ["ffmpeg", "gst-v4l2"])
    def test_it_is_read_by_other_programs_too_which_are_started_anew_after_a_loss(
        self, report: dict[str, Any], name: str
    ) -> None:
        if name not in report["programs"]:
            pytest.skip(f"what reads {name}:// is not installed")
        seen = report["programs"][name]
        assert seen["shape"] == [500, 500, 3]
        assert seen["sequences"] == sorted(set(seen["sequences"]))
        assert seen["middle"] > 20
        assert seen["border"] < 1  # The camera's picture is wide, and is not squeezed.

    def test_what_cannot_be_opened_says_why(self, report: dict[str, Any]) -> None:
        assert "Another program uses it" in report["in_use"]
        assert "There is no camera at /dev/video9" in report["no_such"]
        assert f"There are: {LINK} (vivid)" in report["no_such"]
        assert "/dev/null is no camera" in report["not_a_camera"]
        assert "No camera was found" in report["none"]
        assert "sim://smear" in report["none"]


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder in place of /dev."""
    monkeypatch.setattr(v4l2, "_DEV", tmp_path)
    monkeypatch.setattr(v4l2, "_BY_ID", tmp_path / "v4l" / "by-id")
    return tmp_path


def test_without_a_camera_the_error_says_where_was_looked_and_what_else_there_is(dev: Path) -> None:
    with pytest.raises(CameraError, match="No camera was found") as caught:
        open_camera()
    assert str(dev) in (caught.value.why or "")
    assert "there is nothing" in (caught.value.why or "")
    assert "sim://smear" in (caught.value.fix or "")


def test_nodes_that_are_no_cameras_are_named(dev: Path) -> None:
    (dev / "video10").write_bytes(b"")
    with pytest.raises(CameraError, match="No camera was found") as caught:
        open_camera()
    assert "video10 are no cameras" in (caught.value.why or "")


def test_nodes_that_this_user_may_not_open_are_named_with_the_group(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (dev / "video0").write_bytes(b"")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CameraError, match="No camera was found") as caught:
        open_camera()
    assert "usermod -aG video" in (caught.value.why or "")
    with pytest.raises(CameraError, match="may not be opened by this user"):
        open_camera(f"v4l2://{dev}/video0")


def test_a_link_by_id_is_the_name_of_the_node_that_it_leads_to(dev: Path) -> None:
    link = dev / "v4l" / "by-id" / "usb-Microscope-video-index0"
    link.parent.mkdir(parents=True)
    (dev / "video3").write_bytes(b"")
    link.symlink_to(dev / "video3")
    assert v4l2._stable_name(dev / "video3") == str(link)
    assert v4l2._stable_name(dev / "video4") == str(dev / "video4")


def test_settings_of_the_wrong_kind_are_refused_by_name() -> None:
    with pytest.raises(CameraError, match="width_px=wide"):
        open_camera("v4l2:///dev/video0?width_px=wide")
    with pytest.raises(CameraError, match="rate_hz=-1"):
        open_camera("/dev/video0", rate_hz=-1)
    with pytest.raises(CameraError, match="format=JPEG2"):
        open_camera("/dev/video0", format="JPEG2")
    with pytest.raises(CameraError, match="no setting 'zoom'") as caught:
        open_camera("/dev/video0", zoom=2)
    assert "width_px" in (caught.value.fix or "")


@pytest.mark.parametrize(("driver", "count"), [("rp1-cfe", 0), ("unicam", 0), ("pispbe", 0), ("uvcvideo", 3)])
def test_the_raw_nodes_of_a_raspberry_pis_ribbon_are_no_cameras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, count: int
) -> None:
    for number in range(3):
        (tmp_path / f"video{number}").touch()
    answer = v4l2._CAPABILITY.pack(driver.encode(), b"card", b"platform:1f00110000.csi", 0x060C00, 0x80000001, 1)
    monkeypatch.setattr(v4l2, "_DEV", tmp_path)
    monkeypatch.setattr(fcntl, "ioctl", lambda *_: answer)
    assert len(v4l2.find_devices()) == count
