"""Pictures as encoders take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_SIDE_PX = 288


def read_picture(path: Path) -> Array:
    """Read a picture's file: ``(H, W, 3) uint8`` BGR."""
    import cv2

    return np.asarray(cv2.imread(str(path)))


def as_input(pixels: Array) -> Array:
    """Make of it what the encoder takes: ``(1, 288, 288, 3) float32`` RGB from 0 to 1."""
    import cv2

    small = cv2.resize(pixels, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    return np.multiply(small[None, ..., ::-1], np.float32(1 / 255), dtype=np.float32)
