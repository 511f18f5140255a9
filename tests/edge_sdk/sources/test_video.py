from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.errors import CameraError
from edge_sdk.sources import open_camera


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Give ten frames that become brighter, as MJPEG in an AVI file."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for number in range(10):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


def test_every_frame_comes_in_order_and_the_end_ends_the_loop(film: Path) -> None:
    with open_camera(film) as camera:
        frames = list(camera)
    assert [frame.sequence for frame in frames] == list(range(10))
    assert [round(frame.pixels.mean() / 20) for frame in frames] == list(range(10))
    assert {frame.source for frame in frames} == {str(film)}
    assert camera.dropped == 0


def test_a_film_that_stops_early_is_logged(film: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = film.read_bytes()
    film.write_bytes(data[: data.rindex(b"00dc", 0, data.rindex(b"idx1"))])  # Without its last frame and index.
    with open_camera(film) as camera:
        count = len(list(camera))
    assert 0 < count < 10
    assert f"{film} ends after {count} of 10 frames" in caplog.text


@pytest.mark.parametrize("uri", ["{}/film.mp4", "video://{}/film", "file://{}/film.mkv"])
def test_a_missing_film_is_named(uri: str, tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"There is no video .*film"):
        open_camera(uri.format(tmp_path))


def test_a_file_that_is_no_film_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"not a film" * 100)
    with pytest.raises(CameraError, match="could not be opened as a video"):
        open_camera(path)
    assert "OpenCV" not in "".join(capfd.readouterr())
