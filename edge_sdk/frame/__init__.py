"""A frame: one picture with the moment it was taken, its number and where it came from."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import FrameError
from edge_sdk.frame.array import to_bgr
from edge_sdk.frame.picture import decode, read, write
from edge_sdk.frame.region import box_px
from edge_sdk.frame.shrink import shrink

__all__ = ["FINGERPRINT_ROWS", "Frame"]

FINGERPRINT_ROWS = 8  # Every eighth row tells frames apart as well as all of them, at an eighth of the time.


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Frame:
    """One picture, as every part of the SDK passes it on.

    Attributes
    ----------
    pixels : (H, W, 3) uint8, BGR
        C-contiguous, in OpenCV's channel order. An array that already is so is not copied.
    time_s : float
        When it was taken, by ``time.monotonic()``.
    sequence : int
        Its number at the source, from 0; a gap means that frames were dropped in between.
    source : str
        Where it came from: a path, a device, ``array``.
    reduction : int
        1, or by how much both sides of a very large picture file were divided on decoding (2, 4 or 8).
        Places in this frame times `reduction` are places in the file.

    Raises
    ------
    FrameError
        If `pixels` is no such array.

    Examples
    --------
    >>> frame = Frame.of(np.zeros((480, 640), np.uint8))
    >>> frame.pixels.shape, frame.sequence, frame.source
    ((480, 640, 3), 0, 'array')
    """

    pixels: NDArray[np.uint8]
    time_s: float
    sequence: int
    source: str
    reduction: int = 1

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        fits = len(shape) == 3 and shape[2] == 3 and 0 not in shape and dtype == np.uint8
        if not (fits and self.pixels.flags.c_contiguous):
            raise FrameError(
                f"A frame's pixels are {shape} {dtype}.",
                why="A frame holds (H, W, 3) uint8 in BGR order, contiguous, at least 1x1.",
                fix="Make it with Frame.of(array), which converts.",
            )

    @property
    def width_px(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height_px(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    def __repr__(self) -> str:
        reduced = f" reduced 1/{self.reduction}" if self.reduction > 1 else ""
        size = f"{self.width_px}x{self.height_px}"
        return f"<Frame {size}{reduced} number {self.sequence} of {self.source} at {self.time_s:.3f} s>"

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, sequence: int = 0) -> Frame:
        """Open a picture file: JPEG, PNG, BMP, TIFF or WebP.

        The orientation that a phone noted (EXIF) is applied, except in pictures with alpha; alpha is laid
        over white, as viewers show it; 16 bits are scaled as `Frame.of` does. A picture above 25 megapixels
        is reduced to 1/2, 1/4 or 1/8 while it is decoded (`reduction` says so); one that would not fit into
        the free memory is refused from its header, before anything is decoded.

        Parameters
        ----------
        path : path
            The file.
        sequence : int
            Its number, where it is one of several.

        Raises
        ------
        FrameError
            If the file is missing, may not be read, is no picture, is cut short, or is too large.
        """
        pixels, reduction = read(Path(path))
        return cls(pixels, time.monotonic(), sequence, os.fspath(path), reduction)

    @classmethod
    def of(cls, thing: object, *, full_scale: float | None = None, source: str | None = None) -> Frame:
        """Make a frame of whatever holds a picture.

        Parameters
        ----------
        thing : path, array, bytes or Frame
            A path of a picture file; ``(H, W)`` grey, ``(H, W, 1)``, ``(H, W, 3)`` BGR or ``(H, W, 4)`` BGRA,
            of any real type; an encoded picture as bytes; or a frame, which is handed back as it is.
        full_scale : float, optional
            The value that means white. Without it: 255 for uint8; the smallest of 8, 10, 12, 14 and 16 bits
            that holds the largest value for wider integers (cameras deliver 12 bits in 16); 1 for floats that
            do not exceed it, else 255; True for bool. Give it when frames of one camera must not differ
            in scale because one is darker.
        source : str, optional
            What to call it in messages; by default the path, or ``array``.

        Raises
        ------
        FrameError
            If it holds no picture: another shape, no pixels, NaN, values below 0 or above the scale.
        """
        if isinstance(thing, Frame):
            return thing
        if isinstance(thing, str | os.PathLike):
            return cls.open(thing)
        if isinstance(thing, bytes | bytearray | memoryview):
            name = source or "bytes"
            pixels, reduction = decode(bytes(thing), name)
            return cls(pixels, time.monotonic(), 0, name, reduction)
        if isinstance(thing, np.ndarray):
            name = source or "array"
            return cls(to_bgr(thing, name, full_scale), time.monotonic(), 0, name)
        raise FrameError(
            f"A {type(thing).__module__}.{type(thing).__qualname__} is not a picture.",
            why="A frame is made of a path, a numpy array (BGR), the bytes of a picture file, or a Frame.",
            fix="Turn a PIL image into an array first: numpy.asarray(image.convert('RGB'))[..., ::-1].",
        )

    def crop(self, region: Sequence[float]) -> Frame:
        """Cut a region out: left, top, width and height, in whole pixels or in shares of the frame.

        Number, time and source stay; places in the cut count from its own corner.

        Raises
        ------
        FrameError
            If it is no region, or reaches beyond the frame.

        Examples
        --------
        >>> Frame.of(np.zeros((480, 640), np.uint8)).crop((0.5, 0.5, 0.5, 0.5)).pixels.shape
        (240, 320, 3)
        """
        left, top, width, height = box_px(region, self.width_px, self.height_px)
        pixels = np.ascontiguousarray(self.pixels[top : top + height, left : left + width])
        return Frame(pixels, self.time_s, self.sequence, self.source, self.reduction)

    def shrink_into(self, out: NDArray[np.uint8]) -> None:
        """Resize into ``(h, w, 3) uint8``, BGR; rows may be apart in memory."""
        shrink(self.pixels, out)

    def fingerprint(self) -> int:
        """Give a number that tells it from any other frame of a sensor, whose noise makes all of them differ."""
        return zlib.crc32(self.pixels[::FINGERPRINT_ROWS].tobytes())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as a picture file: ``.png`` keeps every pixel, ``.jpg`` is a tenth of the size.

        Raises
        ------
        FrameError
            If the name's ending is of no kind that is known.
        StorageError
            If the file cannot be written.
        """
        write(Path(path), self.pixels)
