"""The items of a prompt: tokens, and embeddings of what is no text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Item", "common", "items_of"]

Item: TypeAlias = "int | npt.NDArray[np.float32]"  # a token, or the embedding of one: (E,)


def common(one: Sequence[Item], other: Sequence[Item]) -> int:
    """Count the items in which two sequences begin alike; embeddings are compared bit by bit.

    Examples
    --------
    >>> common([5, 6, 7], [5, 6, 8, 9])
    2
    """
    count = 0
    for left, right in zip(one, other, strict=False):
        if left is not right and not _same(left, right):
            break
        count += 1
    return count


def _same(one: Item, other: Item) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and one.tobytes() == other.tobytes()  # a fifth of the time of array_equal
    return not isinstance(one, np.ndarray) and not isinstance(other, np.ndarray) and one == other


def items_of(parts: Sequence[Sequence[int] | np.ndarray]) -> list[Item]:
    """Lay parts of a prompt end to end; what may still be written to is copied."""
    return [
        item
        for part in parts
        for item in (part.copy() if isinstance(part, np.ndarray) and part.flags.writeable else part)
    ]
