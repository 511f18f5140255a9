"""Whether numbers fit where they are to be kept: caches in float16 hold no more than 65 504."""

from __future__ import annotations

from math import sqrt

import numpy as np

from models.language.llama import Llama
from models.language.recipe import restored
from models.language.weight import Weight

__all__ = ["cache_reach", "check_caches"]

_HALF_MOST = float(np.finfo(np.float16).max)
_LEVELS = 254  # of what a matrix is multiplied by, which the engine rounds to 8 bits


def cache_reach(model: Llama) -> list[tuple[float, float]]:
    """Tell how large the keys and the values of each layer can become, whatever is asked.

    What a matrix is multiplied by has a mean square of 1 at most, so its length is the root of its width, and no row
    makes more of that than by its own length. Each number is rounded, by half a step of the largest that there can be.
    Turning by position mixes two keys.
    """
    shape = model.shape
    longest = sqrt(shape.width) * (1 + sqrt(shape.width) / _LEVELS)
    keys = shape.heads * shape.head_width  # the rows before are the queries', which are kept nowhere
    return [
        (sqrt(2) * longest * _length(layer.turned, keys), longest * _length(layer.value, 0)) for layer in model.layers
    ]


def check_caches(model: Llama) -> None:
    """Refuse a model whose caches cannot be float16.

    Raises
    ------
    SystemExit
        A key or a value may not fit.
    """
    for number, reach in enumerate(cache_reach(model)):
        for what, most in zip(("keys", "values"), reach, strict=True):
            if not most <= _HALF_MOST:  # nor NaN
                raise SystemExit(
                    f"The {what} of layer {number} may reach {most:.3g}; the shorter caches are float16, which ends at "
                    f"{_HALF_MOST:.0f}. Give one length alone, as in --lengths 1024: the longest cache is float32."
                )


def _length(weight: Weight, first: int) -> float:
    """Return the length of the longest row from one on."""
    return float(np.linalg.norm(restored(weight)[first:].astype(np.float64), axis=1).max())
