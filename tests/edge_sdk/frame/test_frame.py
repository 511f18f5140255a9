from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.errors import EdgeError, FrameError
from edge_sdk.frame import Frame


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_an_array_that_already_fits_is_not_copied(picture: np.ndarray) -> None:
    frame = Frame.of(picture)
    assert frame.pixels is picture
    assert (frame.width_px, frame.height_px, frame.sequence, frame.source) == (60, 40, 0, "array")


def test_a_frame_of_a_frame_is_the_same_frame(picture: np.ndarray) -> None:
    frame = Frame.of(picture)
    assert Frame.of(frame) is frame


def test_time_is_the_monotonic_clock_and_goes_up(picture: np.ndarray) -> None:
    first, second = Frame.of(picture), Frame.of(picture)
    assert first.time_s <= second.time_s


def test_a_repr_tells_size_number_and_source_but_no_pixels(picture: np.ndarray) -> None:
    text = repr(Frame(picture, 12.5, 7, "/dev/video0"))
    assert text == "<Frame 60x40 number 7 of /dev/video0 at 12.500 s>"


def test_a_frame_made_by_hand_of_the_wrong_array_is_refused(picture: np.ndarray) -> None:
    for wrong in (picture[..., 0], picture[:, ::2], picture.astype(np.float32), picture[:0]):
        with pytest.raises(FrameError, match="A frame's pixels are"):
            Frame(wrong, 0.0, 0, "test")


def test_a_cut_of_an_array_becomes_contiguous(picture: np.ndarray) -> None:
    frame = Frame.of(picture[::2, 10:50])
    assert frame.pixels.flags.c_contiguous
    np.testing.assert_array_equal(frame.pixels, picture[::2, 10:50])


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 1)])
def test_grey_stands_in_all_three_channels(shape: tuple[int, ...]) -> None:
    grey = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    frame = Frame.of(grey)
    for channel in range(3):
        np.testing.assert_array_equal(frame.pixels[..., channel], grey.reshape(40, 60))


def test_alpha_is_laid_over_white() -> None:
    bgra = np.zeros((1, 3, 4), np.uint8)
    bgra[0, :, :3] = (10, 20, 200)
    bgra[0, :, 3] = (0, 255, 51)  # Clear, solid, and a fifth.
    pixels = Frame.of(bgra).pixels
    assert pixels.tolist() == [[[255, 255, 255], [10, 20, 200], [206, 208, 244]]]


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_wide_integers_are_scaled_by_the_sensor_depth_that_holds_them(bits: int) -> None:
    top = 2**bits - 1
    frame = Frame.of(np.array([[0, top // 2, top]], np.uint16))
    assert frame.pixels[0, :, 0].tolist() == [0, 127, 255]


def test_wide_integers_of_byte_size_keep_their_values() -> None:
    assert Frame.of(np.array([[0, 7, 200]], np.int64)).pixels[0, :, 0].tolist() == [0, 7, 200]


def test_a_given_full_scale_keeps_dark_frames_dark() -> None:
    assert Frame.of(np.array([[0, 512, 1000]], np.uint16), full_scale=4000).pixels[0, :, 0].tolist() == [
        0,
        33,
        64,
    ]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_to_one_and_floats_to_255_are_both_understood(dtype: type) -> None:
    assert Frame.of(np.array([[0, 0.2, 1]], dtype)).pixels[0, :, 0].tolist() == [0, 51, 255]
    assert Frame.of(np.array([[0, 51, 255]], dtype)).pixels[0, :, 0].tolist() == [0, 51, 255]


def test_a_mask_is_black_and_white() -> None:
    assert Frame.of(np.array([[False, True]])).pixels[0, :, 0].tolist() == [0, 255]


def test_one_pixel_is_a_picture() -> None:
    assert Frame.of(np.zeros((1, 1), np.uint8)).pixels.shape == (1, 1, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted_in_the_error(bad: float) -> None:
    array = np.zeros((4, 5), np.float32)
    array[2, 3] = bad
    with pytest.raises(FrameError, match="1 of 20 values that are NaN or infinite"):
        Frame.of(array)


@pytest.mark.parametrize(
    ("array", "message", "fix"),
    [
        (np.zeros((3, 40, 60), np.uint8), r"shape \(3, 40, 60\)", "transpose"),
        (np.zeros((1, 40, 60, 3), np.uint8), r"shape \(1, 40, 60, 3\)", "one by one"),
        (np.zeros((40, 60, 7), np.uint8), "not that of a picture", "grey"),
        (np.zeros(40, np.uint8), "not that of a picture", "grey"),
        (np.zeros((0, 60, 3), np.uint8), "no pixels", "Check"),
        (np.full((4, 4), -0.5), "from -0.5 to -0.5", "full_scale"),
        (np.full((4, 4), 300.0), "from 300 to 300; 0 to 255", "full_scale"),
        (np.full((4, 4), 70000, np.int32), "0 to 65535", "full_scale"),
        (np.zeros((4, 4), complex), "type complex128", "uint8"),
        (np.array([["a"]]), "type <U1", "uint8"),
    ],
)
def test_arrays_that_are_no_pictures_say_what_is_wrong(array: np.ndarray, message: str, fix: str) -> None:
    with pytest.raises(FrameError, match=message) as caught:
        Frame.of(array)
    assert fix in (caught.value.fix or "")


@pytest.mark.parametrize("thing", [None, 3, [[0, 1]], object()])
def test_other_things_are_refused_with_what_would_do(thing: object) -> None:
    with pytest.raises(FrameError, match="is not a picture") as caught:
        Frame.of(thing)
    assert "numpy array" in (caught.value.why or "")
    assert isinstance(caught.value, EdgeError | ValueError)


def test_a_path_a_string_and_the_bytes_of_a_file_give_the_same_pixels(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "a picture, grün.png"
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    for thing in (path, str(path), path.read_bytes()):
        np.testing.assert_array_equal(Frame.of(thing).pixels, picture)
    assert Frame.of(path).source == str(path)


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    with pytest.raises(FrameError, match="not a file"):
        Frame.open(path)


def test_frames_can_be_opened_from_several_threads_at_once(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), picture)
    seen: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: seen.append(Frame.open(path).pixels)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert all((pixels == picture).all() for pixels in seen)
