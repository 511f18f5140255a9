"""One suite on every kind of source: what a camera promises whatever it reads."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.errors import CameraError, ClosedError
from edge_sdk.frame import Frame
from edge_sdk.sources import PROGRAMS, SCHEMES, Camera, open_camera
from edge_sdk.sources.stack import STACKS

FRAMES = 4


def picture(path: Path, seed: int = 0) -> Path:
    noise = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, noise)[1].tobytes())
    return path


def folder(path: Path) -> Path:
    for number in range(FRAMES):
        picture(path / f"{number}.png", number)
    return path


def film(path: Path) -> Path:
    writer = cv2.VideoWriter(str(path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for number in range(FRAMES):
        writer.write(np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    writer.release()
    return path / "film.avi"


SOURCES: dict[str, Callable[[Path], str]] = {
    "one picture": lambda path: str(picture(path / "only.jpg")),
    "folder": lambda path: str(folder(path)),
    "pattern": lambda path: f"{folder(path)}/*.png",
    "video": lambda path: str(film(path)),
    "simulated": lambda path: "sim://smear?rate_hz=200&width_px=64&height_px=48",
    "rpicam": lambda path: "rpicam://0?rate_hz=200&width_px=64&height_px=48",
    "ffmpeg": lambda path: "ffmpeg-test://testsrc2?rate_hz=100&width_px=64&height_px=48",
    "gstreamer": lambda path: "gst-test://smpte?rate_hz=100&width_px=64&height_px=48",
}
ENDLESS = {"simulated", "rpicam", "ffmpeg", "gstreamer"}


@pytest.fixture(params=SOURCES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def uri(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if kind in ("ffmpeg", "gstreamer"):
        request.getfixturevalue(kind)
    if kind == "rpicam":
        request.getfixturevalue("put_on_path")("rpicam-vid")
    return SOURCES[kind](tmp_path)


def take(camera: Camera, count: int) -> list[Frame]:
    return list(itertools.islice(camera, count))


def test_frames_are_whole_pictures_with_time_number_and_source(uri: str) -> None:
    before_s = time.monotonic()
    with open_camera(uri) as camera:
        frames = take(camera, FRAMES)
    assert frames
    for frame in frames:
        assert frame.pixels.shape == (48, 64, 3)
        assert frame.pixels.dtype == np.uint8
        assert frame.source
        assert before_s <= frame.time_s <= time.monotonic()
    assert [f.sequence for f in frames] == sorted({f.sequence for f in frames})
    assert [f.time_s for f in frames] == sorted(f.time_s for f in frames)


def test_a_frame_stays_what_it_was_when_the_next_one_comes(uri: str) -> None:
    with open_camera(uri) as camera:
        first = next(camera)
        kept = first.pixels.copy()
        take(camera, FRAMES)
    np.testing.assert_array_equal(first.pixels, kept)


def test_an_end_ends_the_loop_and_a_second_loop_at_once(kind: str, uri: str) -> None:
    if kind in ENDLESS:
        pytest.skip("it never ends")
    with open_camera(uri) as camera:
        assert len(list(camera)) == (1 if kind == "one picture" else FRAMES)
        assert list(camera) == []
        with pytest.raises(EOFError):
            camera.capture()
        assert camera.state == "ended"
        assert camera.dropped == 0


def test_closing_twice_is_harmless_and_no_frame_comes_after(uri: str) -> None:
    camera = open_camera(uri)
    camera.capture()
    camera.close()
    camera.close()
    with pytest.raises(ClosedError, match="is closed"):
        camera.capture()


def test_a_camera_that_was_never_read_closes_at_once(uri: str) -> None:
    open_camera(uri).close()


def test_a_repr_names_the_source_and_the_state(uri: str) -> None:
    with open_camera(uri) as camera:
        assert camera.source in repr(camera)
    assert ", closed, " in repr(camera)


def test_a_setting_that_is_not_known_is_refused(uri: str) -> None:
    with pytest.raises(CameraError, match="no setting 'flavour'"):
        open_camera(uri, flavour="sweet")


def test_every_scheme_is_held_to_this_or_to_the_kernels_camera() -> None:
    held = {"picture", "video", "sim"} | {"v4l2"}  # The last in tests/edge_sdk/sources/test_v4l2.py.
    assert set(SCHEMES) == held
    assert set(PROGRAMS) == set(STACKS)  # All of them are one source, PipeSource, which is held to it three times.
