"""Recipes: how many bits the weights of a language model get.

``int8`` gives every row a scale. ``int4`` gives the weights of the layers 4 bits, with a scale for each 64 of a row,
and leaves at INT8 what is read at little cost and whose errors cost most: the matrices that make attention's values
(3 % of the layers' weights), and the table of embeddings, which is the head too. ``int4-32`` has a scale for each 32:
it loses less, and decodes 4 % slower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from models.language.weight import Weight, int8_weight

__all__ = ["BLOCK", "LONG_BLOCK", "RECIPES", "Quantizer", "Recipe", "int4_weight", "restored"]

BLOCK, LONG_BLOCK = 32, 64  # the first is the least that XNNPACK has kernels for; as in llama.cpp's Q4_0
_LEAST, _MOST = -8, 7
# The largest weight of a block may land on 7, or beyond, where it is cut off and the others get a finer scale. The best
# for each block leaves an error of 8.6 % of normally distributed weights in blocks of 32, 9.5 % of 64; 7 alone, 9.7 and
# 10.8 %. Beyond 9 that error still falls, of rows as a whole above all, and what a trained model says gets worse.
_STEPS = (6.75, 7.0, 7.25, 7.5, 7.75, 8.0, 8.25, 8.5, 9.0)
# Scales lie in the file as float16, and the engine refuses what is no normal number there.
_SCALE_MIN, _SCALE_MAX = float(np.finfo(np.float16).smallest_normal), float(np.finfo(np.float16).max)

Quantizer = Callable[[str, npt.NDArray[np.float32]], Weight]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How matrices ``(out, in)`` are quantized: the layers', those for attention's values, the table of embeddings."""

    layer: Quantizer
    value: Quantizer
    table: Quantizer


def int4_weight(name: str, matrix: npt.NDArray[np.float32], block: int = BLOCK) -> Weight:
    """Quantize a matrix to INT4, symmetrically, with a scale for each block along a row.

    Parameters
    ----------
    name : str
        What to call it.
    matrix : ndarray
        ``(out, in)`` float32, ``in`` a multiple of 32.
    block : int
        Weights that share a scale, 32 or 64; 32 is taken where 64 do not fit.

    Raises
    ------
    ValueError
        A row cannot be cut into blocks, or has a weight too large for a scale.
    """
    rows, columns = matrix.shape
    block = block if columns % block == 0 else BLOCK
    if columns % block:
        raise ValueError(f"{name} has rows of {columns}, which is no multiple of {BLOCK}.")
    blocks = matrix.reshape(rows, columns // block, block)
    peaks = np.abs(blocks).max(-1)
    scales = _rounded(peaks / _STEPS[0])
    levels, least = _levels(blocks, scales)
    for step in _STEPS[1:]:
        others = _rounded(peaks / step)
        found, error = _levels(blocks, others)
        better = error < least
        scales[better], levels[better], least[better] = others[better], found[better], error[better]
    if not scales.max() <= _SCALE_MAX:
        raise ValueError(f"{name} has a weight of {peaks.max():.3g}; its scale does not fit into float16.")
    return Weight(name, (rows, columns), "int4", _packed(levels), scales.astype(np.float16), block)


def restored(weight: Weight) -> npt.NDArray[np.float32]:
    """Give what weights stand for: ``(out, in)`` float32."""
    levels = weight.data.astype(np.int8)
    if weight.dtype == "int4":
        halves = np.stack(
            [weight.data.astype(np.uint8) & np.uint8(0xF), weight.data.astype(np.uint8) >> np.uint8(4)], -1
        )
        levels = ((halves ^ np.uint8(8)).astype(np.int8) - np.int8(8)).astype(np.int8)  # two's complement of four bits
    scales = weight.scales.astype(np.float32).reshape(len(levels), -1, 1)
    return (levels.reshape(len(levels), scales.shape[1], -1) * scales).reshape(weight.shape)


def _levels(
    blocks: npt.NDArray[np.float32], scales: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return whole numbers for blocks, and the squared error of each block."""
    levels = np.clip(np.rint(blocks / scales[..., None]), _LEAST, _MOST)
    return levels.astype(np.int8), np.square(levels * scales[..., None] - blocks).sum(-1)


def _rounded(scales: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Round scales to the 8 bits that the engine keeps of them (bfloat16), so that levels are chosen for those."""
    bits = np.maximum(scales, _SCALE_MIN, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0x8000)) & np.uint32(0xFFFF0000)).view(np.float32)


def _packed(levels: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Put two levels into each byte, the first in the low half: ``(out, in / 2)``."""
    halves = levels.reshape(len(levels), -1).view(np.uint8) & np.uint8(0xF)
    return halves[:, 0::2] | halves[:, 1::2] << np.uint8(4)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "int8": Recipe(int8_weight, int8_weight, int8_weight),
        "int4": Recipe(partial(int4_weight, block=LONG_BLOCK), int8_weight, int8_weight),
        "int4-32": Recipe(int4_weight, int8_weight, int8_weight),
    }
)
