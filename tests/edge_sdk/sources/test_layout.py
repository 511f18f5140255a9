from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sdk.errors import CameraError
from edge_sdk.sources.layout import Layout


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
