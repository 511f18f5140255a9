"""How the bytes of a raw frame lie, and how they become BGR pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import CameraError
from edge_sdk.frame.opencv import cv2

__all__ = ["Layout", "round_up"]

_LONGEST_SIDE_PX = 16384


@dataclass(frozen=True, slots=True)
class Layout:
    """The bytes of one raw frame.

    Attributes
    ----------
    format : str
        ``bgr`` (3 bytes a pixel), ``bgrx`` (4), or ``yuv420`` (three planes one after the other, full range,
        BT.601, as rpicam-vid gives it).
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
        if self.format == "yuv420" and (self.width_px % 2 or self.height_px % 2):
            raise CameraError(f"This camera gives no frames of {size}.", fix="Choose an even width and height.")

    @property
    def frame_bytes(self) -> int:
        """Bytes from the start of one frame to that of the next."""
        return self.stride_bytes * self.height_px * (3 if self.format == "yuv420" else 2) // 2

    def to_bgr(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Make pixels, (H, W, 3) uint8 BGR, of `frame_bytes` bytes; they share no memory with them."""
        return _CONVERSIONS[self.format](self, data)

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
    return layout._plane(data, 0, 1, 3).reshape(layout.height_px, layout.width_px, 3).copy()


def _bgrx(layout: Layout, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pixels = layout._plane(data, 0, 1, 4).reshape(layout.height_px, layout.width_px, 4)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)


def _yuv420(layout: Layout, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert by way of YCrCb: OpenCV's own conversion of these planes takes them for limited range."""
    luma_bytes = layout.stride_bytes * layout.height_px
    blue = layout._plane(data, luma_bytes, 2)
    red = layout._plane(data, luma_bytes + luma_bytes // 4, 2)
    size = (layout.width_px, layout.height_px)
    full = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in (red, blue)]
    merged = cv2.merge([layout._plane(data, 0, 1), *full])
    return np.asarray(cv2.cvtColor(merged, cv2.COLOR_YCrCb2BGR), np.uint8)


_CONVERSIONS: dict[str, Callable[[Layout, NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "bgr": _bgr,
    "bgrx": _bgrx,
    "yuv420": _yuv420,
}
