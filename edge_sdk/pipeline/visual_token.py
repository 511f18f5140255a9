"""Fewer visual tokens for a frame: averaged over squares of places, or merged where they are alike.

Every way is a list of owners: to which of the tokens that are left each of a frame's tokens goes, -1 where to none.
The tokens that are left are means, in the order of their first place, so that a decoder reads them as before.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import ShapeError

__all__ = ["average", "drop", "merge", "pool", "stride"]

Owners = npt.NDArray[np.intp]


def average(tokens: npt.NDArray[np.float32], owners: Owners) -> npt.NDArray[np.float32]:
    """Average the tokens of each owner.

    Parameters
    ----------
    tokens : (T, E) float32
    owners : (T,) int
        From 0 on; -1 where a token is left out.

    Returns
    -------
    (N, E) float32
        One token for each owner.

    Examples
    --------
    >>> average(np.array([[1.0], [3.0], [5.0]], np.float32), np.array([0, 0, 1])).tolist()
    [[2.0], [5.0]]
    """
    kept = np.flatnonzero(owners >= 0)
    order = kept[np.argsort(owners[kept], kind="stable")]
    sizes = np.bincount(owners[kept])
    sums = np.add.reduceat(tokens[order], np.cumsum(sizes) - sizes, axis=0)
    return np.asarray(sums / sizes[:, None], np.float32)


def pool(rows: int, columns: int, side: int) -> Owners:
    """Give every square of ``side`` by ``side`` places one owner, row by row.

    Examples
    --------
    >>> pool(2, 4, 2).tolist()
    [0, 0, 1, 1, 0, 0, 1, 1]

    Raises
    ------
    ShapeError
        The squares do not fill the grid.
    """
    if side < 1 or rows % side or columns % side:
        raise ShapeError(f"Squares of {side} by {side} do not fill a grid of {rows} by {columns} visual tokens.")
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.asarray(row // side * (columns // side) + column // side, np.intp)


def stride(rows: int, columns: int, side: int) -> Owners:
    """Keep one token of every square and leave the others out: plain downsampling, to compare with.

    Examples
    --------
    >>> stride(2, 4, 2).tolist()
    [-1, -1, -1, -1, -1, 0, -1, 1]
    """
    row, column = np.divmod(np.arange(rows * columns), columns)
    middle = side // 2
    return np.where((row % side == middle) & (column % side == middle), pool(rows, columns, side), -1)


def drop(tokens: int, left: int, seed: int = 0) -> Owners:
    """Keep ``left`` tokens at random places: to compare with.

    Examples
    --------
    >>> int((drop(9, 4) >= 0).sum())
    4
    """
    owners = np.full(tokens, -1, np.intp)
    owners[np.sort(np.random.default_rng(seed).permutation(tokens)[:left])] = np.arange(left)
    return owners


def merge(tokens: npt.NDArray[np.float32], left: int) -> Owners:
    """Merge the most alike until ``left`` tokens are there.

    Every second token looks for the most alike among the others, and the best pairs become one, weighted by how many
    tokens each already stands for; at most half of them go in a round.
    Source: Bolya et al. 2023, "Token Merging: Your ViT But Faster", arXiv:2210.09461.

    Parameters
    ----------
    tokens : (T, E) float32
    left : int
        From 1 to T.

    Examples
    --------
    >>> merge(np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32), 2).tolist()
    [0, 0, 1, 1]
    """
    owners = np.arange(len(tokens), dtype=np.intp)
    means = tokens
    while len(means) > left:
        unit = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        alike = unit[::2] @ unit[1::2].T
        best = alike.argmax(1)
        going = np.argsort(-alike.max(1), kind="stable")[: min(len(means) - left, len(means) // 2)]
        into = np.arange(len(means), dtype=np.intp)
        into[2 * going] = 2 * best[going] + 1
        owners = _in_order(into[owners])
        means = average(tokens, owners)
    return owners


def _in_order(owners: Owners) -> Owners:
    """Give owners numbers in the order of their first tokens."""
    _, first, back = np.unique(owners, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[back.reshape(-1)], np.intp)
