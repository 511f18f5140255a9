"""Do two engines give the same answer? Seeded inputs to ask them, and how far apart the answers may be.

The measure is how much the answers change with the input. Kernels that are all right round differently, and
a deep INT8 network carries that far: on single values the CPU's own kernels are up to 50 steps of 255 apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_sdk.runtime.model import Array, TensorSpec

__all__ = ["TOLERANCE", "check_inputs", "disagreement"]

# Root mean square of the difference, in units of the answers' standard deviation over the inputs. One that
# does not look at its input, whatever it says, is off by 1 at least; the CPU's kernels among themselves by
# 0.1 at most on plain networks (docs/explanation/delegates.md).
TOLERANCE = 0.25
_SEED = 7
# Squares of one value, this many elements wide: noise is all the same to a network, and so is its answer.
_BLOCKS = (4, 8, 16, 32)
_TOKENS = 4  # whole numbers are mostly tokens or places; the lowest are in every table
_SMALL = 8  # axes up to this long are channels or batches, and are not cut into squares
_ROUNDING = 1e-5  # of a float answer's largest value: nobody promises more


def check_inputs(specs: Sequence[TensorSpec]) -> list[list[Array]]:
    """Make inputs for a model, the same ones every time: several, each with an array for every tensor."""
    generator = np.random.default_rng(_SEED)
    return [[_draw(spec, block, generator) for spec in specs] for block in _BLOCKS]


def _draw(spec: TensorSpec, block: int, generator: np.random.Generator) -> Array:
    kind = spec.dtype
    if kind.kind == "b" or (kind.kind in "iu" and kind.itemsize > 1):
        return generator.integers(0, 2 if kind.kind == "b" else _TOKENS, spec.shape).astype(kind)
    low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind in "iu" else (-1, 1)
    wide = [axis for axis, length in enumerate(spec.shape) if length > _SMALL]
    coarse = generator.random([-(-n // block) if n > _SMALL else n for n in spec.shape])
    for axis in wide:
        coarse = coarse.repeat(block, axis)
    values = low + (high - low) * coarse[tuple(slice(length) for length in spec.shape)]
    return (np.rint(values) if kind.kind in "iu" else values).astype(kind)


def disagreement(right: Sequence[Array], other: Sequence[Array]) -> float | None:
    """Return how far answers are from the right ones, in units of how much those change with the input.

    Parameters
    ----------
    right, other : sequence of ndarray
        One output's values for each check input.

    Returns
    -------
    float or None
        ``None``: the right answers hardly change with the input, and the others are equal to them up to
        rounding, which tells nothing.
    """
    if any(one.shape != two.shape for one, two in zip(right, other, strict=True)):
        return float("inf")
    wanted, found = (np.nan_to_num(np.stack([part.astype(np.float64) for part in side])) for side in (right, other))
    if not wanted.size:
        return None
    rounding = 0.5 if right[0].dtype.kind in "iub" else _ROUNDING * float(np.abs(wanted).max())
    error = float(np.sqrt(np.mean((found - wanted) ** 2)))
    change = float(np.sqrt(np.mean((wanted - wanted.mean(0)) ** 2)))
    if change <= 2 * rounding:
        return None if error <= rounding else float("inf")
    return max(error - rounding, 0.0) / change
