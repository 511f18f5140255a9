from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.errors import CameraError, MissingDependency
from edge_sdk.sources import Options, open_camera
from edge_sdk.sources.layout import Layout
from edge_sdk.sources.pipe import Program
from edge_sdk.sources.stack import STACKS, Request, choose_stack


def program(name: str, target: str, format: str = "", **wishes: float) -> Program:
    """Ask a stack what it would run."""
    size = {"width_px": 320, "height_px": 240, "rate_hz": 0.0} | wishes
    request = Request("/usr/bin/it", STACKS[name].target(target), format=format, **size)  # type: ignore[arg-type]
    return STACKS[name].command(request)


def line(name: str, target: str, format: str = "", **wishes: float) -> str:
    return " ".join(program(name, target, format, **wishes).arguments)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let any path that could be a device's be there."""
    monkeypatch.setattr(Path, "exists", lambda path: True)
    return "/dev/v4l/by-id/usb-046d_C920-video-index0"


def test_rpicam_is_asked_for_raw_frames_without_end_and_without_a_window() -> None:
    words = program("rpicam", "1", rate_hz=15.0).arguments
    assert list(words[1:5]) == ["--camera", "1", "--codec", "yuv420"]
    assert line("rpicam", "1", rate_hz=15.0).endswith(
        "--width 320 --height 240 --framerate 15 --timeout 0 --nopreview --flush --verbose --output -"
    )
    assert "--framerate" not in line("rpicam", "0")


@pytest.mark.parametrize(("said", "stride_bytes"), [(115200, 320), (138240, 384), (0, 320)])
def test_rpicams_padding_is_taken_from_its_words(said: int, stride_bytes: int) -> None:
    asked = program("rpicam", "0")
    assert asked.adapt is not None
    words = f"INFO Camera configuring streams: (0) 320x240-YUV420/sYCC\nFileOutput: output buffer 0x1 size {said}\n"
    assert asked.adapt(asked.layout, words if said else "") == Layout(320, 240, "yuv420", stride_bytes)


def test_rpicams_frames_of_a_strange_length_are_refused() -> None:
    asked = program("rpicam", "0")
    assert asked.adapt is not None
    with pytest.raises(CameraError, match="frames of 1000 bytes do not fit 320x240"):
        asked.adapt(asked.layout, "FileOutput: output buffer 0x1 size 1000")


def test_argus_goes_through_nvidias_converter() -> None:
    assert line("gst-argus", "0", rate_hz=29.97) == (
        "/usr/bin/it -q nvarguscamerasrc sensor-id=0 ! "
        "video/x-raw(memory:NVMM),format=NV12,width=320,height=240,framerate=2997/100 ! "
        "nvvidconv ! video/x-raw,format=BGRx ! fdsink sync=false"
    )
    assert program("gst-argus", "0").layout == Layout(320, 240, "bgrx", 1280)


def test_gstreamer_reads_v4l2_raw_or_compressed(device: str) -> None:
    square = "pixel-aspect-ratio=1/1"
    raw = f"videoconvert ! videoscale ! video/x-raw,format=BGR,width=320,height=240,{square} ! fdsink sync=false"
    assert line("gst-v4l2", device) == f"/usr/bin/it -q v4l2src device={device} {square} ! {raw}"
    assert f"device={device} {square} ! image/jpeg,width=320,height=240 ! jpegdec ! {raw}" in line(
        "gst-v4l2", device, "MJPG"
    )
    assert "device=/dev/video2 " in line("gst-v4l2", "2")


def test_gstreamers_libcamera_takes_the_first_camera_or_one_by_its_id() -> None:
    assert "-q libcamerasrc ! video/x-raw,format=NV12," in line("gst-libcamera", "0")
    assert "libcamerasrc camera-name=/base/soc/i2c0mux/i2c@1/imx477@1a !" in line(
        "gst-libcamera", "/base/soc/i2c0mux/i2c@1/imx477@1a"
    )


def test_gstreamers_rows_are_padded_to_four_bytes() -> None:
    assert program("gst-test", "smpte", width_px=321).layout == Layout(321, 240, "bgr", 964)


def test_ffmpeg_scales_what_the_camera_has_not(device: str) -> None:
    text = line("ffmpeg", device, "MJPG", rate_hz=15.0)
    assert f"-f v4l2 -video_size 320x240 -framerate 15 -input_format mjpeg -i {device} -an" in text
    assert "-vf scale=320:240:force_original_aspect_ratio=decrease,pad=320:240:-1:-1" in text
    assert text.endswith("-f rawvideo -pix_fmt bgr24 pipe:1")


@pytest.mark.parametrize(
    ("told", "option"),
    [
        ("ffmpeg version 4.3.9-0+deb11u1 Copyright", "-vsync 0"),
        ("ffmpeg version 5.0.1 Copyright", "-vsync 0"),
        ("ffmpeg version 5.1.9-0+deb12u1 Copyright", "-fps_mode passthrough"),
        ("ffmpeg version n9.0.2-17-g2a571b6068 Copyright", "-fps_mode passthrough"),
        ("ffmpeg version N-109000-gabc Copyright", "-fps_mode passthrough"),
    ],
)
def test_ffmpegs_of_every_age_are_told_not_to_double_frames(told: str, option: str, tmp_path: Path) -> None:
    path = tmp_path / "ffmpeg"
    path.write_text(f"#!/bin/sh\necho '{told}'\n")
    path.chmod(0o755)
    request = Request(str(path), "testsrc2", 320, 240, 0.0, "")
    assert option in " ".join(STACKS["ffmpeg-test"].command(request).arguments)


EVIL = ["0 ! filesink location=/tmp/x", "0;reboot", "$(reboot)", "-1", "/dev/../etc/passwd", "/dev/video0 ! x", "a,b=c"]


@pytest.mark.parametrize("target", EVIL)
@pytest.mark.parametrize("name", STACKS)
def test_nothing_but_a_camera_reaches_a_program(name: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: True)
    with pytest.raises(CameraError):
        program(name, target)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width_px": "320,format=RGB"}, "width_px=320,format=RGB"),
        ({"width_px": 0}, "frames of 0x720"),
        ({"rate_hz": "nan"}, "rate_hz=nan"),
        ({"stall_s": 0}, "stall_s=0"),
        ({"format": "MJPG"}, "no setting 'format'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, str | float], message: str, put_on_path: Callable[..., Path]
) -> None:
    put_on_path("rpicam-vid")
    with pytest.raises(CameraError, match=message):
        open_camera("rpicam://0", **settings)


def test_a_format_that_is_not_known_is_refused_with_those_that_are(device: str) -> None:
    with pytest.raises(CameraError, match="format=H264") as caught:
        STACKS["ffmpeg"](device, Options({"format": "H264"}, "ffmpeg"))
    assert "MJPG, YUYV" in (caught.value.fix or "")


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="rpicam-vid is not installed") as caught:
        open_camera("rpicam://0")
    assert caught.value.fix == "sudo apt install rpicam-apps"


def test_the_first_stack_whose_program_is_there_is_chosen(
    monkeypatch: pytest.MonkeyPatch, put_on_path: Callable[..., Path]
) -> None:
    monkeypatch.setenv("PATH", str(put_on_path("rpicam-vid", "libcamera-vid").parent))
    assert choose_stack(["gst-argus", "v4l2", "rpicam"]) is STACKS["rpicam"]
    newer = put_on_path("rpicam-vid")
    assert STACKS["rpicam"].find() == str(newer)
    assert choose_stack(["gst-argus", "v4l2"]) is None


def test_rpicams_frames_are_grey_noise_without_the_padding(put_on_path: Callable[..., Path]) -> None:
    put_on_path("rpicam-vid", "libcamera-vid")
    with open_camera("rpicam://0?width_px=320&height_px=240&rate_hz=60") as camera:
        frames = list(itertools.islice(camera, 3))
    for frame in frames:
        assert frame.pixels.shape == (240, 320, 3)
        assert np.array_equal(frame.pixels[..., 0], frame.pixels[..., 2])
        repeat = frame.pixels[0, :8]  # The program repeats eight bytes in the luma; a row of them is 40 times that.
        assert np.array_equal(frame.pixels, np.tile(repeat, (240, 40, 1)))


def test_a_size_that_rpicam_has_not_is_what_it_gives_instead_and_is_warned_of(
    put_on_path: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    put_on_path("rpicam-vid")
    with caplog.at_level(logging.WARNING), open_camera("rpicam://0?width_px=4000&height_px=3000") as camera:
        assert camera.capture().pixels.shape == (480, 640, 3)
    assert "rpicam://0 was asked for 4000x3000 and gives 640x480" in caplog.text


def test_a_camera_that_rpicam_has_not_is_told_in_its_words(put_on_path: Callable[..., Path]) -> None:
    put_on_path("rpicam-vid")
    with pytest.raises(CameraError, match="rpicam://7 could not be opened") as caught:
        open_camera("rpicam://7")
    assert "no cameras available" in (caught.value.why or "")


@pytest.mark.usefixtures("ffmpeg")
def test_ffmpegs_test_picture_moves_and_has_its_colours() -> None:
    with open_camera("ffmpeg-test://testsrc2?width_px=322&height_px=242&rate_hz=50") as camera:
        first, second = itertools.islice(camera, 2)
    assert first.pixels.shape == (242, 322, 3)
    assert not np.array_equal(first.pixels, second.pixels)
    assert first.pixels.max() > 200
    assert first.time_s < second.time_s


@pytest.mark.usefixtures("gstreamer")
def test_gstreamers_bars_are_where_they_should_be_in_blue_green_red() -> None:
    with open_camera("gst-test://smpte?width_px=322&height_px=240&rate_hz=50") as camera:
        pixels = camera.capture().pixels
    bars = [pixels[20, int(322 * (bar + 0.5) / 7)] > 90 for bar in range(7)]
    assert [bar.tolist() for bar in bars] == [
        [True, True, True],  # White, and as in BGR: yellow, cyan, green, magenta, red, blue.
        [False, True, True],
        [True, True, False],
        [False, True, False],
        [True, False, True],
        [False, False, True],
        [True, False, False],
    ]


@pytest.mark.usefixtures("gstreamer")
def test_an_element_that_gstreamer_lacks_is_named_with_its_package() -> None:
    with pytest.raises(CameraError, match="gst-argus://0 could not be opened") as caught:
        open_camera("gst-argus://0")
    assert "sudo apt install" in (caught.value.fix or "")
    assert "nvidia-l4t-gstreamer" in (caught.value.fix or "")
