"""From centre maps to cells: peaks above a threshold, one per cell, refined below the map's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CentreRule", "Centres", "find_centres"]

# More peaks than any film holds: a map of pure noise must not cost seconds.
_MOST_PEAKS = 600

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
    line, column, kind = _peaks(scores, rule.thresholds)
    score = scores[line, column, kind]
    order = np.argsort(-score, kind="stable")[:_MOST_PEAKS]
    line, column, kind, score = line[order], column[order], kind[order], score[order]
    grid = np.array([scores.shape[1], scores.shape[0]], np.float32)
    place = _refine(scores, line, column, kind) / grid
    side = sizes[line, column].astype(np.float32, copy=False)
    kept = _part(place, side.mean(axis=1) * np.asarray(rule.radii, np.float32)[kind], kind)
    return Centres(kind[kept], score[kept], place[kept], side[kept])


def _peaks(scores: Floats, thresholds: Sequence[float]) -> tuple[NDArray[np.int64], ...]:
    """Return row, column and class where no neighbour is greater; every cell of a plateau counts."""
    flat = np.flatnonzero(scores >= np.asarray(thresholds, np.float32))
    rows, columns, _ = scores.shape
    line, column, kind = np.unravel_index(flat, scores.shape)
    # Few places pass the threshold: looking around them is cheaper than filtering the whole map.
    value = scores[line, column, kind]
    top = np.ones(len(flat), bool)
    for down, right in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        around = scores[(line + down).clip(0, rows - 1), (column + right).clip(0, columns - 1), kind]
        top &= value >= around
    return line[top], column[top], kind[top]


def _refine(scores: Floats, line: NDArray[np.int64], column: NDArray[np.int64], kind: NDArray[np.int64]) -> Floats:
    """Return x and y in grid cells: the score-weighted mean of the 3x3 around each peak, from its middle."""
    rows, columns, _ = scores.shape
    step = np.array([-1, 0, 1])
    down = (line[:, None] + step).clip(0, rows - 1)
    right = (column[:, None] + step).clip(0, columns - 1)
    near = scores[down[:, :, None], right[:, None, :], kind[:, None, None]]
    total = np.maximum(near.sum(axis=(1, 2)), 1e-9)
    x = (near.sum(axis=1) * (right + 0.5)).sum(axis=1) / total
    y = (near.sum(axis=2) * (down + 0.5)).sum(axis=1) / total
    return np.stack([x, y], axis=1).astype(np.float32)


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
