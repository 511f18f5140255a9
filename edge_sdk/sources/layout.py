"""How the bytes of a raw frame lie, and how they become BGR pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import CameraError
from edge_sdk.frame import Frame
from edge_sdk.frame.opencv import cv2
from edge_sdk.frame.raw import RawFrame
from edge_sdk.frame.shrink import shrink

__all__ = ["Layout", "RawBytes", "frame_of", "round_up"]

_LONGEST_SIDE_PX = 16384


@dataclass(frozen=True, slots=True)
class Layout:
    """The bytes of one raw frame.

    Attributes
    ----------
    format : str
        ``bgr`` (3 bytes a pixel), ``bgrx`` (4), ``yuyv`` (two pixels in 4 bytes, limited range, BT.601, as USB
        cameras give it), or ``yuv420`` (three planes one after the other, full range, BT.601, as rpicam-vid gives it).
    stride_bytes : int
        From one row to the next, of the first plane; the others of ``yuv420`` have half of it.

    Raises
    ------
    CameraError
        If there can be no such frame.

    Examples
    --------
    >>> layout = Layout(3, 2, "bgr", stride_bytes=12)
    >>> layout.frame_bytes, layout.to_bgr(np.zeros(24, np.uint8)).shape
    (24, (2, 3, 3))
    """

    width_px: int
    height_px: int
    format: str
    stride_bytes: int

    def __post_init__(self) -> None:
        size = f"{self.width_px}x{self.height_px}"
        if not (0 < self.width_px <= _LONGEST_SIDE_PX and 0 < self.height_px <= _LONGEST_SIDE_PX):
            raise CameraError(f"No camera gives frames of {size}.", fix="As in width_px=1280, height_px=720.")
        if self.format in _HALF_COLOUR and (self.width_px % 2 or self.height_px % 2):
            raise CameraError(f"This camera gives no frames of {size}.", fix="Choose an even width and height.")

    @property
    def frame_bytes(self) -> int:
        """Bytes from the start of one frame to that of the next."""
        return self.stride_bytes * self.height_px * (3 if self.format == "yuv420" else 2) // 2

    @property
    def keeps(self) -> bool:
        """Whether a frame goes on using the bytes that it was made of."""
        return self.format != "bgrx"

    def to_bgr(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Make pixels, (H, W, 3) uint8 BGR, of `frame_bytes` bytes; those of ``bgr`` may be the same memory."""
        return _CONVERSIONS[self.format](self, data)

    def _planes(self, data: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Give the planes of ``yuv420`` in the order of YCrCb: luma, red, blue."""
        luma_bytes = self.stride_bytes * self.height_px
        blue, red = (self._plane(data, luma_bytes * quarters // 4, 2) for quarters in (4, 5))
        return [self._plane(data, 0, 1), red, blue]

    def _plane(self, data: NDArray[np.uint8], offset: int, divisor: int, depth: int = 1) -> NDArray[np.uint8]:
        height_px, stride_bytes = self.height_px // divisor, self.stride_bytes // divisor
        rows = data[offset : offset + height_px * stride_bytes].reshape(height_px, stride_bytes)
        return rows[:, : self.width_px // divisor * depth]


def round_up(number: int, multiple: int) -> int:
    """Give the next multiple.

    >>> round_up(963, 4), round_up(964, 4)
    (964, 964)
    """
    return -(-number // multiple) * multiple


def _bgr(layout: Layout, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(layout._plane(data, 0, 1, 3)).reshape(layout.height_px, layout.width_px, 3)


def _bgrx(layout: Layout, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pixels = layout._plane(data, 0, 1, 4).reshape(layout.height_px, layout.width_px, 4)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)


def _yuyv(layout: Layout, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pixels = layout._plane(data, 0, 1, 2).reshape(layout.height_px, layout.width_px, 2)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_YUV2BGR_YUYV), np.uint8)


def _yuv420(layout: Layout, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert by way of YCrCb: OpenCV's own conversion of these planes takes them for limited range."""
    luma, *colours = layout._planes(data)
    size = (layout.width_px, layout.height_px)
    full = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in colours]
    return np.asarray(cv2.cvtColor(cv2.merge([luma, *full]), cv2.COLOR_YCrCb2BGR), np.uint8)


def _shrunk_yuyv(layout: Layout, data: NDArray[np.uint8], out: NDArray[np.uint8]) -> bool:
    """Resize pairs of pixels, each as one place; False where that would lose places.

    A pair's luma is the mean of its two. Taken for two places at that size they would show next to the same.
    """
    if out.shape[1] > layout.width_px // 2:
        return False
    pairs = layout._plane(data, 0, 1, 2).reshape(layout.height_px, layout.width_px // 2, 4)
    small = np.empty((*out.shape[:2], 4), np.uint8)
    shrink(pairs, small)
    first, blue, second, red = cv2.split(small)
    luma = cv2.addWeighted(first, 0.5 * _LUMA, second, 0.5 * _LUMA, -16 * _LUMA)
    colours = [cv2.addWeighted(plane, _COLOUR, plane, 0, 128 - 128 * _COLOUR) for plane in (red, blue)]
    cv2.cvtColor(cv2.merge([luma, *colours]), cv2.COLOR_YCrCb2BGR, dst=out)
    return True


def _shrunk_yuv420(layout: Layout, data: NDArray[np.uint8], out: NDArray[np.uint8]) -> bool:
    """Resize each plane by itself."""
    small = [np.empty(out.shape[:2], np.uint8) for _ in range(3)]
    for plane, into in zip(layout._planes(data), small, strict=True):
        shrink(plane, into)
    cv2.cvtColor(cv2.merge(small), cv2.COLOR_YCrCb2BGR, dst=out)
    return True


# From limited range to full. Source: ITU-R BT.601-7, section 2.5.
_LUMA, _COLOUR = 255 / 219, 255 / 224
_HALF_COLOUR = ("yuyv", "yuv420")
_CONVERSIONS: dict[str, Callable[[Layout, NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "bgr": _bgr,
    "bgrx": _bgrx,
    "yuyv": _yuyv,
    "yuv420": _yuv420,
}
_SHRINKERS: dict[str, Callable[[Layout, NDArray[np.uint8], NDArray[np.uint8]], bool]] = {
    "yuyv": _shrunk_yuyv,
    "yuv420": _shrunk_yuv420,
}


class RawBytes:
    """The bytes of one frame with their layout, as `edge_sdk.frame.raw.RawFrame` takes them.

    Parameters
    ----------
    layout : Layout
        One of those in which colour has half of the places; BGR is pixels already.
    data : (frame_bytes,) uint8
        Belongs to the frame from now on.
    """

    def __init__(self, layout: Layout, data: NDArray[np.uint8]) -> None:
        self.width_px, self.height_px = layout.width_px, layout.height_px
        self._layout, self._data = layout, data

    @property
    def rows(self) -> NDArray[np.uint8]:
        """The bytes, row by row."""
        return self._data.reshape(-1, self._layout.stride_bytes // 2)

    def to_bgr(self) -> NDArray[np.uint8]:
        """Make pixels."""
        return self._layout.to_bgr(self._data)

    def shrink_into(self, out: NDArray[np.uint8]) -> bool:
        """Resize into (h, w, 3) uint8, BGR; False where that size cannot be had so."""
        return _SHRINKERS[self._layout.format](self._layout, self._data, out)


def frame_of(layout: Layout, data: NDArray[np.uint8], time_s: float, sequence: int, source: str) -> Frame:
    """Make a frame of bytes, which it owns from now on if the layout keeps them."""
    if layout.format in _SHRINKERS:
        return RawFrame(RawBytes(layout, data), time_s, sequence, source)
    return Frame(layout.to_bgr(data), time_s, sequence, source)
