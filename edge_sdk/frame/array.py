"""Any array that holds a picture, as ``(H, W, 3) uint8`` BGR."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import FrameError
from edge_sdk.frame.opencv import cv2

__all__ = ["to_bgr"]

_SENSOR_BITS = (8, 10, 12, 14, 16)
_BAND_ROWS = 256  # Alpha is laid over white in bands: whole, a 25-megapixel picture would take 300 MB of floats.


def to_bgr(array: NDArray[Any], name: str, full_scale: float | None = None) -> NDArray[np.uint8]:
    """Convert an array to contiguous 8-bit BGR; an array that already is that is handed back, not copied.

    Parameters
    ----------
    array : (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), bool, integer or float
        Grey, BGR or BGRA.
    name : str
        What to call it in messages.
    full_scale : float, optional
        The value that means white; see `edge_sdk.frame.Frame.of` for what is taken without it.

    Returns
    -------
    (H, W, 3) uint8, BGR

    Raises
    ------
    FrameError
        If it holds no picture.
    """
    _check_shape(array, name)
    pixels = _to_8_bits(array, name, full_scale)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if channels == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    if channels == 4:
        return _over_white(pixels)
    return np.ascontiguousarray(pixels)


def _check_shape(array: NDArray[Any], name: str) -> None:
    shape = array.shape
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
        if 0 in shape:
            raise FrameError(
                f"The picture {name} has no pixels: its shape is {shape}.",
                why="A cut with an empty range, or a camera that delivered nothing.",
                fix="Check what made it before you hand it on.",
            )
        return
    fix = "Give (H, W) grey, (H, W, 3) BGR or (H, W, 4) BGRA."
    if len(shape) == 4:
        fix = "That looks like a batch: hand its pictures on one by one, array[0] first."
    elif len(shape) == 3 and shape[0] in (1, 3, 4):
        fix = "That looks like channels first: use array.transpose(1, 2, 0)."
    raise FrameError(
        f"The array {name} has the shape {shape}, which is not that of a picture.",
        why="A picture is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).",
        fix=fix,
    )


def _to_8_bits(array: NDArray[Any], name: str, full_scale: float | None) -> NDArray[np.uint8]:
    if array.dtype == np.bool_:
        array, full_scale = array.astype(np.uint8), full_scale or 1
    if array.dtype == np.uint8 and full_scale in (None, 255):
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "iuf":
        raise FrameError(
            f"The array {name} is of type {array.dtype}, which is not that of a picture.",
            fix="Give bool, integers or floats; uint8 is taken without copying.",
        )
    low, high = _extent(array, name)
    scale = float(full_scale or _guess_scale(array.dtype.kind, high))
    if low < 0 or high > scale:
        raise FrameError(
            f"The array {name} has values from {low:g} to {high:g}; 0 to {scale:g} were expected.",
            why="It looks normalised or signed, or full_scale is not its scale.",
            fix="Bring it back to 0..255 or 0..1, or name the value of white: full_scale=...",
        )
    exact: NDArray[np.uint16 | np.float32]
    if array.dtype.kind in "iu" and high < 2**16:
        exact = np.ascontiguousarray(array, dtype=np.uint16)
    else:
        exact = np.ascontiguousarray(array, dtype=np.float32)
    return np.asarray(cv2.convertScaleAbs(exact, alpha=255 / scale), np.uint8).reshape(array.shape)


def _extent(array: NDArray[Any], name: str) -> tuple[float, float]:
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int(array.size - np.isfinite(array).sum())
        raise FrameError(
            f"The array {name} has {bad} of {array.size} values that are NaN or infinite.",
            why="A division by zero or a missing measurement upstream.",
            fix="Replace them first, for instance numpy.nan_to_num(array).",
        )
    return low, high


def _guess_scale(kind: str, high: float) -> float:
    if kind == "f":
        return 1.0 if high <= 1.0 else 255.0
    return float(next((2**bits - 1 for bits in _SENSOR_BITS if high < 2**bits), 2**16 - 1))


def _over_white(bgra: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a picture with alpha over white: ``255 - (255 - colour) * alpha``."""
    out = np.empty((*bgra.shape[:2], 3), np.uint8)
    for top in range(0, bgra.shape[0], _BAND_ROWS):
        band = bgra[top : top + _BAND_ROWS]
        opacity = band[:, :, 3:].astype(np.float32) / 255
        out[top : top + _BAND_ROWS] = np.rint(255 - (255 - band[:, :, :3].astype(np.float32)) * opacity)
    return out
