"""A region of interest: the part of a frame that is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any

from edge_sdk.errors import FrameError

__all__ = ["box_px"]


def box_px(region: Sequence[float], width_px: int, height_px: int) -> tuple[int, int, int, int]:
    """Give a region's left, top, width and height in a frame's pixels.

    Parameters
    ----------
    region : four numbers
        Left, top, width and height: whole numbers are pixels; with any other among them, all are shares of the frame.
    width_px, height_px : int
        The frame's size.

    Raises
    ------
    FrameError
        If it is no region, or reaches beyond the frame.

    Examples
    --------
    >>> box_px((10, 20, 320, 240), 640, 480), box_px((0.25, 0.25, 0.5, 0.5), 640, 480)
    ((10, 20, 320, 240), (160, 120, 320, 240))
    """
    numbers: tuple[Any, ...] = tuple(region)  # numpy's numbers are none of Python's
    if len(numbers) != 4 or not all(isinstance(n, Real) and isfinite(n) for n in numbers):
        raise FrameError(
            f"{region!r} is no region of a frame.",
            fix="Give left, top, width and height: (160, 120, 320, 240) in pixels, (0.25, 0.25, 0.5, 0.5) in shares.",
        )
    left, top, width, height = numbers
    if not all(isinstance(n, Integral) for n in numbers):
        left, right = round(left * width_px), round((left + width) * width_px)
        top, bottom = round(top * height_px), round((top + height) * height_px)
        width, height = right - left, bottom - top
    if left < 0 or top < 0 or width < 1 or height < 1 or left + width > width_px or top + height > height_px:
        raise _outside(region, width_px, height_px)
    return int(left), int(top), int(width), int(height)


def _outside(region: Sequence[float], width_px: int, height_px: int) -> FrameError:
    return FrameError(
        f"The region {', '.join(f'{n:g}' for n in region)} does not lie in the frame of {width_px}x{height_px}.",
        why="It is left, top, width and height, in pixels, or in shares from 0 to 1 where one is written with a point.",
        fix="Give a smaller one.",
    )
