from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.errors import CameraError, FrameError
from edge_sdk.sources import open_camera


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give three pictures whose grey is their number, one of them in a folder below, and a file that is none."""
    (tmp_path / "more").mkdir()
    for name, grey in (("slide 2.png", 2), ("slide 10.PNG", 10), ("more/slide 1.bmp", 1)):
        data = cv2.imencode(Path(name).suffix.lower(), np.full((8, 8), grey, np.uint8))[1]
        (tmp_path / name).write_bytes(data.tobytes())
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def greys(uri: str | Path) -> list[int]:
    with open_camera(uri) as camera:
        return [int(frame.pixels[0, 0, 0]) for frame in camera]


def test_a_folder_gives_its_pictures_in_the_order_of_people(folder: Path) -> None:
    assert greys(folder) == [1, 2, 10]


def test_a_pattern_gives_what_fits_it(folder: Path) -> None:
    assert greys(f"{folder}/slide*") == [2, 10]
    assert greys(f"{folder}/**/*.bmp") == [1]
    assert greys(f"file://{folder}/slide 2.png") == [2]


def test_a_pattern_may_be_relative(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert greys("*.png") == [2]
    assert greys("more") == [1]


def test_frames_bear_their_own_path_and_number(folder: Path) -> None:
    with open_camera(folder) as camera:
        frames = list(camera)
    assert [(frame.sequence, Path(frame.source).name) for frame in frames] == [
        (0, "slide 1.bmp"),
        (1, "slide 2.png"),
        (2, "slide 10.PNG"),
    ]


def test_a_folder_without_pictures_lists_the_kinds_that_would_do(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no pictures in") as caught:
        open_camera(tmp_path)
    assert ".jpg" in (caught.value.fix or "")


def test_a_pattern_that_fits_nothing_and_a_name_that_is_wrong_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no pictures in") as caught:
        open_camera(f"{tmp_path}/*.jpg")
    assert "pattern" in (caught.value.why or "")
    with pytest.raises(CameraError, match=r"There is no .*gone\.jpg"):
        open_camera(tmp_path / "gone.jpg")


def test_a_file_that_is_no_picture_is_told_when_it_is_read(folder: Path) -> None:
    with open_camera(folder / "notes.txt") as camera, pytest.raises(FrameError, match=r"notes\.txt is not a picture"):
        camera.capture()


def test_a_picture_that_vanishes_meanwhile_is_told_and_the_next_one_follows(folder: Path) -> None:
    with open_camera(folder) as camera:
        camera.capture()
        (folder / "slide 10.PNG").unlink()
        assert camera.capture().sequence == 1
        with pytest.raises(FrameError, match="could not be opened"):
            camera.capture()
        assert list(camera) == []


def test_pictures_have_no_settings(folder: Path) -> None:
    with pytest.raises(CameraError, match="no setting 'width_px'"):
        open_camera(folder, width_px=3)


def test_a_scheme_that_is_not_known_lists_those_that_are() -> None:
    with pytest.raises(CameraError, match="rtsp:// is not a kind of camera") as caught:
        open_camera("rtsp://10.0.0.2/live")
    assert "sim://" in (caught.value.fix or "")
