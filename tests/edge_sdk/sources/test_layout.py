from __future__ import annotations

import copy
import pickle

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sdk.errors import CameraError
from edge_sdk.frame import Frame
from edge_sdk.frame.raw import RawFrame
from edge_sdk.pipeline.preprocess import Preprocess
from edge_sdk.sources.layout import Layout, frame_of


def picture(width_px: int, height_px: int, seed: int = 0) -> NDArray[np.uint8]:
    """Make a smooth coloured picture, so that halving the colours loses little."""
    noise = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 6), np.uint8)


def padded(plane: NDArray[np.uint8], stride_bytes: int) -> NDArray[np.uint8]:
    rows = np.full((plane.shape[0], stride_bytes), 99, np.uint8)
    flat = plane.reshape(plane.shape[0], -1)
    rows[:, : flat.shape[1]] = flat
    return rows.ravel()


def to_yuv420(pixels: NDArray[np.uint8], stride_bytes: int) -> NDArray[np.uint8]:
    """Make full-range planes, as JPEG has them (ITU-T T.871)."""
    luma, red, blue = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_BGR2YCrCb))
    half = [cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in (blue, red)]
    return np.concatenate([padded(luma, stride_bytes), *(padded(plane, stride_bytes // 2) for plane in half)])


@pytest.mark.parametrize("stride_bytes", [963, 964, 1024])
def test_bgr_comes_out_as_it_is_without_its_padding(stride_bytes: int) -> None:
    pixels = picture(321, 5)
    layout = Layout(321, 5, "bgr", stride_bytes)
    data = padded(pixels, stride_bytes)
    assert data.size == layout.frame_bytes
    np.testing.assert_array_equal(layout.to_bgr(data), pixels)


def test_bgrx_loses_its_fourth_byte() -> None:
    pixels = picture(64, 48)
    data = np.dstack([pixels, np.zeros((48, 64), np.uint8)]).ravel()
    np.testing.assert_array_equal(Layout(64, 48, "bgrx", 256).to_bgr(data), pixels)


@pytest.mark.parametrize("stride_bytes", [64, 96, 128])
def test_yuv420_gives_the_colours_back_whatever_its_padding(stride_bytes: int) -> None:
    pixels = picture(64, 48)
    layout = Layout(64, 48, "yuv420", stride_bytes)
    data = to_yuv420(pixels, stride_bytes)
    assert data.size == layout.frame_bytes
    error = np.abs(layout.to_bgr(data).astype(int) - pixels)
    assert error.mean() < 1.5
    assert error.max() < 16


@pytest.mark.parametrize("grey", [0, 16, 128, 235, 255])
def test_yuv420_is_full_range_black_is_0_and_white_is_255(grey: int) -> None:
    data = np.full(64 * 48 * 3 // 2, 128, np.uint8)
    data[: 64 * 48] = grey
    assert np.unique(Layout(64, 48, "yuv420", 64).to_bgr(data)).tolist() == [grey]


@pytest.mark.parametrize("format", ["bgr", "bgrx", "yuv420"])
def test_pixels_share_no_memory_with_the_bytes(format: str) -> None:
    layout = Layout(64, 48, format, 256)
    data = np.zeros(layout.frame_bytes, np.uint8)
    pixels = layout.to_bgr(data)
    assert not np.shares_memory(pixels, data)
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("size", [(0, 48), (64, -1), (64, 99999)])
def test_sizes_that_no_camera_has_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(CameraError, match="No camera gives frames of"):
        Layout(*size, "bgr", 192)


def test_yuv420_of_an_odd_size_is_refused() -> None:
    with pytest.raises(CameraError, match="63x48") as caught:
        Layout(63, 48, "yuv420", 64)
    assert "even" in (caught.value.fix or "")


def to_yuyv(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make pairs of pixels with one colour, limited range (ITU-R BT.601)."""
    blue, green, red = (pixels[..., channel].astype(float) for channel in range(3))
    luma = 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255
    chroma = [
        128 + (-37.797 * red - 74.203 * green + 112 * blue) / 255,
        128 + (112 * red - 93.786 * green - 18.214 * blue) / 255,
    ]
    half = [(plane[:, ::2] + plane[:, 1::2]) / 2 for plane in chroma]
    packed = np.empty((pixels.shape[0], 2 * pixels.shape[1]), np.uint8)
    for start, step, plane in ((0, 2, luma), (1, 4, half[0]), (3, 4, half[1])):
        packed[:, start::step] = np.rint(plane)
    return packed.ravel()


def test_yuyv_gives_the_colours_back() -> None:
    pixels = picture(64, 48)
    found = Layout(64, 48, "yuyv", 128).to_bgr(to_yuyv(pixels))
    assert np.abs(found.astype(int) - pixels).max() <= 6


@pytest.mark.parametrize("format", ["yuyv", "yuv420"])
@pytest.mark.parametrize("size", [(96, 96), (128, 64), (320, 240), (400, 300)])
def test_a_raw_frame_is_resized_as_its_pixels_would_be(format: str, size: tuple[int, int]) -> None:
    pixels = picture(320, 240, seed=3)
    layout = Layout(320, 240, format, 640 if format == "yuyv" else 384)
    data = to_yuyv(pixels) if format == "yuyv" else to_yuv420(pixels, 384)
    raw, made = (frame_of(layout, data, 1.0, 7, "camera") for _ in range(2))
    assert made.pixels.shape == (240, 320, 3)  # and from now on it has pixels
    out, expected = (np.empty((size[1], size[0], 3), np.uint8) for _ in range(2))
    raw.shrink_into(out)
    made.shrink_into(expected)
    assert np.abs(out.astype(int) - expected).max() <= 8
    assert np.abs(out.astype(int) - expected).mean() < 1


def test_pixels_of_a_raw_frame_are_made_once_and_only_when_they_are_looked_at() -> None:
    layout = Layout(64, 48, "yuyv", 128)
    frame = frame_of(layout, to_yuyv(picture(64, 48)), 2.5, 7, "camera")
    assert isinstance(frame, RawFrame)
    assert (frame.width_px, frame.height_px, frame.time_s, frame.sequence, frame.source) == (64, 48, 2.5, 7, "camera")
    frame.shrink_into(np.empty((24, 32, 3), np.uint8))
    assert "64x48 number 7 of camera" in repr(frame)
    assert frame._made is None
    assert frame.pixels is frame.pixels


@pytest.mark.parametrize("format", ["yuyv", "yuv420"])
def test_a_raw_frame_is_as_sharp_as_its_pixels(format: str) -> None:
    row = np.tile(np.array([60, 200, 200, 60], np.uint8).repeat(4), 40)
    stripes = np.ascontiguousarray(np.broadcast_to(row[None, :, None], (240, 640, 3)))
    layout = Layout(640, 240, format, 1280 if format == "yuyv" else 640)
    data = to_yuyv(stripes) if format == "yuyv" else to_yuv420(stripes, 640)
    raw, made = (frame_of(layout, data, 0.0, 0, "camera") for _ in range(2))
    assert made.pixels.shape == (240, 640, 3)
    outs = [np.empty((60, 160, 3), np.uint8) for _ in range(2)]
    for frame, out in zip((raw, made), outs, strict=True):
        frame.shrink_into(out)
    assert np.abs(outs[0].astype(int) - outs[1]).max() <= 3


def test_more_places_than_pairs_are_had_from_the_pixels() -> None:
    frame = frame_of(Layout(64, 48, "yuyv", 128), to_yuyv(picture(64, 48)), 0.0, 0, "camera")
    out = np.empty((9, 33, 3), np.uint8)
    frame.shrink_into(out)
    assert isinstance(frame, RawFrame)
    assert frame._made is not None


def test_a_raw_frame_is_copied_and_sent_as_a_plain_one() -> None:
    frame = frame_of(Layout(64, 48, "yuyv", 128), to_yuyv(picture(64, 48)), 2.5, 7, "camera")
    for other in (copy.copy(frame), pickle.loads(pickle.dumps(frame))):
        assert type(other) is Frame
        assert np.array_equal(other.pixels, frame.pixels)
        assert (other.time_s, other.sequence, other.source) == (2.5, 7, "camera")


@pytest.mark.parametrize("format", ["yuyv", "yuv420"])
def test_the_fingerprint_of_a_raw_frame_changes_with_its_bytes(format: str) -> None:
    layout = Layout(64, 48, format, 128)
    data = np.random.default_rng(1).integers(0, 256, layout.frame_bytes, np.uint8)
    first, same = (frame_of(layout, data.copy(), 0.0, number, "camera") for number in range(2))
    assert first.fingerprint() == same.fingerprint()
    data[0] ^= 1
    assert frame_of(layout, data, 0.0, 2, "camera").fingerprint() != first.fingerprint()


def test_a_model_sees_the_same_in_a_raw_frame() -> None:
    pixels = picture(640, 480, seed=5)
    raw = frame_of(Layout(640, 480, "yuyv", 1280), to_yuyv(pixels), 0.0, 0, "camera")
    for resize in ("stretch", "letterbox", "crop"):
        outs = [np.empty((288, 288, 3), np.uint8) for _ in range(2)]
        places = [
            Preprocess(288, 288, resize=resize, dtype=np.uint8).apply(frame, out)
            for frame, out in zip((raw, Frame.of(pixels)), outs, strict=True)
        ]
        assert places[0] == places[1]
        assert np.abs(outs[0].astype(int) - outs[1]).mean() < 2
