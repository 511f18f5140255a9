"""Weights as the file holds them: numbers, and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Weight", "int8_weight"]

_INT8_MAX = 127


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A matrix of weights.

    Attributes
    ----------
    name : str
        What to call it.
    shape : (int, int)
        ``(out, in)``.
    dtype : str
        ``int8`` or ``int4`` (two numbers a byte, the first in the low half).
    data : ndarray
        As stored.
    scales : ndarray
        ``(out,)`` float32 for one a row; ``(out, in / block)`` for one a block.
    block : int
        Weights that share a scale along a row; 0 for the whole row.
    """

    name: str
    shape: tuple[int, int]
    dtype: str
    data: npt.NDArray[np.generic]
    scales: npt.NDArray[np.float32]
    block: int = 0


def int8_weight(name: str, matrix: npt.NDArray[np.float32]) -> Weight:
    """Quantize a matrix ``(out, in)`` to INT8, symmetrically, with a scale for each row."""
    scales = np.maximum(np.abs(matrix).max(1), 1e-12).astype(np.float32) / _INT8_MAX
    data = np.clip(np.rint(matrix / scales[:, None]), -_INT8_MAX, _INT8_MAX).astype(np.int8)
    return Weight(name, (matrix.shape[0], matrix.shape[1]), "int8", data, scales)
