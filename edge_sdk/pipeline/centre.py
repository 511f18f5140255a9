"""From centre maps to cells: peaks above a threshold, one per cell, refined below the map's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CentreRule", "Centres", "find_centres"]

# More peaks than any film holds: a map of pure noise must not cost seconds.
_MOST_PEAKS = 600
# Padding is 0 and must never pass for a peak.
_LEAST_SCORE = 1e-6
# x and y of the 3x3 around a place, row by row.
_AROUND = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1)], np.float32)

Floats = NDArray[np.float32]


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
    rows, columns, kinds = scores.shape
    flat, near = _peaks(scores, rule.thresholds)
    line, kind = np.divmod(flat, (columns + 2) * kinds)
    column, kind = np.divmod(kind, kinds)
    # The score-weighted mean of the 3x3 around a peak, in grid cells; the padding made the grid start at 1.
    middle = near @ _AROUND / near.sum(axis=1, keepdims=True) - 0.5
    place = (np.stack([column, line], axis=1) + middle) / (columns, rows)
    side = sizes[line - 1, column - 1].astype(np.float32)
    kept = _part(place, side.mean(axis=1) * np.asarray(rule.radii, np.float32)[kind], kind)
    return Centres(kind[kept], near[kept, 4], place[kept].astype(np.float32), side[kept])


def _peaks(scores: Floats, thresholds: tuple[float, ...]) -> tuple[NDArray[np.int64], Floats]:
    """Find where no neighbour is greater, best first; every cell of a plateau counts.

    Returns
    -------
    flat : (n,) int64
        Places in the map padded by one cell all around.
    near : (n, 9) float32
        The 3x3 around each, row by row.
    """
    rows, columns, kinds = scores.shape
    padded = np.zeros((rows + 2, columns + 2, kinds), np.float32)
    padded[1:-1, 1:-1] = scores
    values = padded.ravel()
    least = np.maximum(np.asarray(thresholds, np.float32), _LEAST_SCORE)
    # Few places pass: comparing all with one number, then those with their own, costs a fifth of the latter alone.
    flat = np.flatnonzero(values >= least.min())
    flat = flat[values[flat] >= least[flat % kinds]]
    steps = (np.arange(-1, 2)[:, None] * (columns + 2) + np.arange(-1, 2)).ravel() * kinds
    near = values[flat[:, None] + steps]
    top = np.flatnonzero(near[:, 4] >= near.max(axis=1))
    order = top[np.argsort(-near[top, 4], kind="stable")[:_MOST_PEAKS]]
    return flat[order], near[order]


def _part(place: Floats, radius: Floats, kind: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which peaks stay, best first: each one drops the later ones of its class within its radius."""
    gap = place[:, None] - place[None]
    near = (gap * gap).sum(axis=2) < (radius * radius)[:, None]
    near &= kind[:, None] == kind[None]
    np.fill_diagonal(near, val=False)
    alive = np.ones(len(place), bool)
    for best in np.flatnonzero(near.any(axis=1)):
        if alive[best]:
            alive[best + 1 :] &= ~near[best, best + 1 :]
    return np.flatnonzero(alive)
