from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import boards
from edge_sdk.errors import CameraError
from edge_sdk.sources import PROGRAMS, SCHEMES, default, open_camera, v4l2
from edge_sdk.sources.v4l2 import Device


@pytest.fixture
def pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a Raspberry Pi with no camera on USB and no program on the path."""
    (tmp_path / "dev").mkdir()
    monkeypatch.setattr(v4l2, "_DEV", tmp_path / "dev")
    monkeypatch.setattr(v4l2, "_BY_ID", tmp_path / "dev" / "by-id")
    monkeypatch.setenv("EDGE_BOARD", "rpi-5")
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("pi")
def test_without_an_address_a_boards_own_way_to_its_camera_is_taken(put_on_path: Callable[..., Path]) -> None:
    put_on_path("rpicam-vid")
    with open_camera(width_px=64, height_px=48) as camera:
        assert camera.source == "rpicam://0"
        assert camera.capture().pixels.shape == (48, 64, 3)


@pytest.mark.usefixtures("pi")
def test_a_camera_on_usb_goes_before_the_boards_own(
    monkeypatch: pytest.MonkeyPatch, put_on_path: Callable[..., Path]
) -> None:
    put_on_path("rpicam-vid")
    link = "/dev/v4l/by-id/usb-Microscope"
    monkeypatch.setattr(default, "find_devices", lambda: [Device("/dev/video9", link, "Microscope")])
    with pytest.raises(CameraError, match=f"There is no camera at {link}"):  # Since it is made up.
        open_camera()


@pytest.mark.usefixtures("pi")
def test_without_any_camera_the_error_says_what_is_to_be_installed_for_the_boards_own() -> None:
    with pytest.raises(CameraError, match="No camera was found") as caught:
        open_camera()
    assert "rpicam-vid is not installed" in (caught.value.why or "")
    assert "sudo apt install rpicam-apps" in (caught.value.why or "")


def test_every_way_that_a_boards_profile_names_can_be_taken() -> None:
    named = {camera.backend for profile in boards.profiles().values() for camera in profile.cameras}
    assert named <= {*SCHEMES, *PROGRAMS}
