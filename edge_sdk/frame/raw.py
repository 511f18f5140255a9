"""A frame as a camera delivered it, turned into BGR pixels only when somebody looks at them.

A model's input is much smaller than a frame: resized first and turned around then, a frame of 1920x1080 is ready in two
fifths of the time (YUYV) or a tenth (three planes), one of 1280x720 in half or a fifth, one of 640x480 in the same or a
third; and one that nobody takes costs nothing.
"""

from __future__ import annotations

import zlib
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_sdk.frame import FINGERPRINT_ROWS, Frame

__all__ = ["Raw", "RawFrame"]


class Raw(Protocol):
    """What a camera delivered, and how it becomes pixels; nobody else writes to it."""

    width_px: int
    height_px: int

    @property
    def rows(self) -> NDArray[np.uint8]:
        """The bytes, row by row."""

    def to_bgr(self) -> NDArray[np.uint8]:
        """Make pixels: (H, W, 3) uint8, BGR, contiguous."""

    def shrink_into(self, out: NDArray[np.uint8]) -> bool:
        """Resize into (h, w, 3) uint8, BGR; False where that size cannot be had so."""


class RawFrame(Frame):
    """A frame whose pixels are made when they are first looked at."""

    __slots__ = ("_made", "_raw")

    _raw: Raw
    _made: NDArray[np.uint8] | None

    def __init__(self, raw: Raw, time_s: float, sequence: int, source: str) -> None:
        values = {"_raw": raw, "_made": None, "time_s": time_s, "sequence": sequence, "source": source, "reduction": 1}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[type[Frame], tuple[NDArray[np.uint8], float, int, str]]:
        """Be copied, or sent to another process, as a plain frame."""
        return Frame, (self.pixels, self.time_s, self.sequence, self.source)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """``(H, W, 3) uint8``, BGR."""
        if self._made is None:
            object.__setattr__(self, "_made", self._raw.to_bgr())
        assert self._made is not None
        return self._made

    @property
    def width_px(self) -> int:
        """Width in pixels."""
        return self._raw.width_px

    @property
    def height_px(self) -> int:
        """Height in pixels."""
        return self._raw.height_px

    def shrink_into(self, out: NDArray[np.uint8]) -> None:
        """Resize into (h, w, 3) uint8, BGR, without its pixels where that can be."""
        if self._made is not None or not self._raw.shrink_into(out):
            super().shrink_into(out)

    def fingerprint(self) -> int:
        """Give a number that tells it from any other frame of a sensor."""
        return zlib.crc32(self._raw.rows[::FINGERPRINT_ROWS].tobytes())
