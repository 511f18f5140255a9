"""From centre maps to cells: peaks above a threshold, one per cell, refined below the map's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CentreFinder", "CentreRule", "Centres", "find_centres"]

# More peaks than any film holds: a map of pure noise must not cost seconds.
_MOST_PEAKS = 600
# Padding is 0 and must never pass for a peak.
_LEAST_SCORE = 1e-6
# Places are fractions of the picture, 0 to 1: nothing of one class is near anything of the next.
_APART = 10
# Places are fractions of the picture, 0 to 1: nothing of one class is near anything of the next.
_APART = 10
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
    return CentreFinder(rule, scores.shape).find(scores, sizes)


class CentreFinder:
    """`find_centres` for many maps of one shape, with what stays the same made once.

    Its padded copy of a map makes it belong to one thread at a time.

    Parameters
    ----------
    rule : CentreRule
        Thresholds and radii, one per class.
    shape : tuple of int
        Rows, columns and classes of the maps.
    """

    def __init__(self, rule: CentreRule, shape: tuple[int, ...]) -> None:
        rows, columns, kinds = shape
        padded = np.zeros((rows + 2, columns + 2, kinds), np.float32)
        self._inner, self._values = padded[1:-1, 1:-1], padded.ravel()
        # For every place of the padded map: its class, least score, share of radius, place in the picture (x as
        # the real part, y as the imaginary one) and index into the sizes.
        line, column, kind = (axis.ravel() for axis in np.indices(padded.shape))
        self._kind = kind
        self._least = np.maximum(np.asarray(rule.thresholds, np.float32), _LEAST_SCORE)[kind]
        self._reach = (np.asarray(rule.radii, np.float32) / 2)[kind]
        # Classes are laid side by side, far apart, so that one comparison of distances serves all of them.
        self._place = (column - 0.5) / columns + 1j * (line - 0.5) / rows + _APART * kind
        self._index = (line - 1) * columns + column - 1
        step = np.arange(-1, 2)
        self._steps = ((step[:, None] * (columns + 2) + step) * kinds).ravel()
        self._around = (step[:, None] * 1j / rows + step / columns).ravel()

    def find(self, scores: Floats, sizes: Floats) -> Centres:
        """Find the cells of a picture; see `find_centres`."""
        flat, near = self._peaks(scores)
        # The score-weighted mean of the 3x3 around a peak.
        place = self._place[flat] + near @ self._around / near.sum(axis=1)
        side = sizes.reshape(-1, 2)[self._index[flat]]
        kept = _part(place, side.sum(axis=1) * self._reach[flat])
        kind = self._kind[flat[kept]]
        place = place[kept] - _APART * kind
        return Centres(kind, near[kept, 4], place.view(np.float64).reshape(-1, 2).astype(np.float32), side[kept])

    def _peaks(self, scores: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Find where no neighbour is greater, best first; every cell of a plateau counts.

        Returns
        -------
        flat : (n,) int64
            Places in the map padded by one cell all around.
        near : (n, 9) float32
            The 3x3 around each, row by row.
        """
        self._inner[...] = scores
        flat = np.flatnonzero(self._values >= self._least)  # few places pass
        near = self._values[flat[:, None] + self._steps]
        best = near[:, 4]
        top = np.flatnonzero(best >= near.max(axis=1))
        order = top[np.argsort(-best[top], kind="stable")[:_MOST_PEAKS]]
        return flat[order], near[order]


def _part(place: NDArray[np.complex128], radius: Floats) -> NDArray[np.int64]:
    """Return which peaks stay, best first: each one drops the later ones within its radius."""
    gap = place[:, None] - place
    better, worse = np.nonzero(gap.real**2 + gap.imag**2 < (radius * radius)[:, None])
    alive = [True] * len(place)
    for one, other in zip(better.tolist(), worse.tolist(), strict=True):
        if one < other and alive[one]:
            alive[other] = False
    return np.flatnonzero(alive)
