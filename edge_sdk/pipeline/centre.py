"""From centre maps to cells: peaks above a threshold, one per cell, refined below the map's grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sdk.runtime import Quantization

__all__ = ["CentreFinder", "CentreRule", "Centres", "find_centres"]

# More peaks than any film holds: a map of pure noise must not cost seconds.
_MOST_PEAKS = 600
# Padding is 0 and must never pass for a peak.
_LEAST_SCORE = 1e-6
# Places are fractions of the picture, 0 to 1: nothing of one class is near anything of the next.
_APART = 10
# What adds up the 3x3 around a place, row by row: its weight to the right, downwards, and in all.
_MOMENTS = np.array([(x, y, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)], np.float32)

Floats = NDArray[np.float32]
Map = NDArray[np.float32] | NDArray[np.int8] | NDArray[np.uint8]
REAL = Quantization(1.0, 0)


@dataclass(frozen=True, slots=True)
class CentreRule:
    """When a peak counts as a cell.

    Attributes
    ----------
    thresholds : tuple of float
        Least score, one per class.
    radii : tuple of float
        Of two peaks of a class nearer than this share of the better one's mean
        box side, only the better is a cell; one per class.
    """

    thresholds: tuple[float, ...]
    radii: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Centres:
    """Cells found in one picture, best score first; places and sides as fractions of the picture.

    Attributes
    ----------
    kind : (n,) int64
        Class of each cell.
    score : (n,) float32
        From 0 to 1.
    place : (n, 2) float32
        Centre, x and y.
    side : (n, 2) float32
        Box width and height.
    """

    kind: NDArray[np.int64]
    score: Floats
    place: Floats
    side: Floats

    def __len__(self) -> int:
        return len(self.kind)


def find_centres(scores: Floats, sizes: Floats, rule: CentreRule) -> Centres:
    """Find the cells of a picture in its centre maps.

    Parameters
    ----------
    scores : (rows, columns, classes) float32
        Centre maps, 0 to 1.
    sizes : (rows, columns, 2) float32
        Width and height of the box of a cell centred there, as fractions of the picture.
    rule : CentreRule
        Thresholds and radii, one per class.

    Returns
    -------
    Centres
        Best score first.
    """
    return CentreFinder(rule, scores.shape).find(scores, sizes)


class CentreFinder:
    """`find_centres` for many maps of one shape, with what stays the same made once.

    Maps of 8 bits are searched as they are. Its padded copy of a map makes it belong to one thread at a time.

    Parameters
    ----------
    rule : CentreRule
        Thresholds and radii, one per class. A threshold past the greatest score that a map can hold counts as that.
    shape : tuple of int
        Rows, columns and classes of the maps.
    dtype : numpy dtype
        Of the scores: float32, int8 or uint8.
    scores, sizes : Quantization
        What the maps' numbers stand for.
    """

    def __init__(
        self,
        rule: CentreRule,
        shape: tuple[int, ...],
        *,
        dtype: Any = np.float32,
        scores: Quantization = REAL,
        sizes: Quantization = REAL,
    ) -> None:
        rows, columns, kinds = shape
        self._scores, self._sizes = scores, sizes
        padded = np.full((rows + 2, columns + 2, kinds), scores.zero_point, dtype)
        self._inner, self._values = padded[1:-1, 1:-1], padded.ravel()
        # For every place of the padded map: its class, least score, share of radius, place in the picture, and
        # index into the sizes.
        line, column, kind = (axis.ravel() for axis in np.indices(padded.shape))
        self._kind = kind
        self._least = _stored(np.maximum(rule.thresholds, _LEAST_SCORE), scores, padded.dtype)[kind]
        self._reach = (np.asarray(rule.radii, np.float32) / 2)[kind]
        self._place = np.stack([(column - 0.5) / columns, (line - 0.5) / rows], axis=1).astype(np.float32)
        self._index = (line - 1) * columns + column - 1
        step = np.arange(-1, 2)
        self._steps = ((step[:, None] * (columns + 2) + step) * kinds).reshape(-1, 1)
        self._moments = (_MOMENTS / [columns, rows, 1]).astype(np.float32)

    def find(self, scores: Map, sizes: Map) -> Centres:
        """Find the cells of a picture; see `find_centres`."""
        flat, near = self._peaks(scores)
        moments = near @ self._moments
        place = self._place[flat] + moments[:, :2] / moments[:, 2:]
        side = _real(sizes.reshape(-1, 2)[self._index[flat]], self._sizes)
        kind = self._kind[flat]
        # Classes are laid side by side, far apart, so that one comparison of distances serves all of them.
        spot = place.view(np.complex64)[:, 0] + _APART * kind
        kept = _part(spot, side.sum(axis=1) * self._reach[flat])
        return Centres(kind[kept], near[kept, 4], place[kept], side[kept])

    def _peaks(self, scores: Map) -> tuple[NDArray[np.int64], Floats]:
        """Find where no neighbour is greater, best first; every cell of a plateau counts.

        Returns
        -------
        flat : (n,) int64
            Places in the map padded by one cell all around.
        near : (n, 9) float32
            The 3x3 around each, row by row.
        """
        self._inner[...] = scores
        (flat,) = (self._values >= self._least).nonzero()  # few places pass
        near = self._values.take(self._steps + flat)  # one row for each neighbour: the greatest is found at once
        (top,) = (near[4] >= np.maximum.reduce(near)).nonzero()
        around = _real(near[:, top].T, self._scores)
        order = (-around[:, 4]).argsort(kind="stable")[:_MOST_PEAKS]
        return flat[top[order]], around[order]


def _real(stored: Map, quantization: Quantization) -> Floats:
    return (stored.astype(np.float32) - np.float32(quantization.zero_point)) * np.float32(quantization.scale)


def _stored(real: NDArray[Any], quantization: Quantization, dtype: np.dtype[Any]) -> Map:
    """Give the least numbers that stand for no less than these values."""
    if dtype.kind == "f":
        return np.asarray(real, dtype)
    least = np.ceil(np.round(real / quantization.scale, 4)) + quantization.zero_point
    return np.asarray(np.minimum(least, np.iinfo(dtype).max), dtype)


def _part(spot: NDArray[np.complex64], radius: Floats) -> NDArray[np.int64]:
    """Return which peaks stay, best first: each one drops the later ones within its radius."""
    better, worse = (np.abs(spot[:, None] - spot) < radius[:, None]).nonzero()
    alive = [True] * len(spot)
    for one, other in zip(better.tolist(), worse.tolist(), strict=True):
        if one < other and alive[one]:
            alive[other] = False
    return np.flatnonzero(alive)
