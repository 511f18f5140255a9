"""The items of a prompt: tokens, and embeddings of what is no text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Item", "common", "items_of"]

Item: TypeAlias = "int | npt.NDArray[np.float32]"  # a token, or the embedding of one: (E,)


def common(one: Sequence[Item], other: Sequence[Item]) -> int:
    """Count the items in which two sequences begin alike; embeddings are compared number by number.

    Examples
    --------
    >>> common([5, 6, 7], [5, 6, 8, 9])
    2
    """
    return next(_differences(one, other), min(len(one), len(other)))


def _differences(one: Sequence[Item], other: Sequence[Item]) -> Iterator[int]:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
            if left is not right and not np.array_equal(left, right):
                yield index
        elif isinstance(left, np.ndarray) or isinstance(right, np.ndarray) or left != right:
            yield index


def items_of(parts: Sequence[Sequence[int] | np.ndarray]) -> list[Item]:
    """Lay parts of a prompt end to end; what may still be written to is copied."""
    return [
        item
        for part in parts
        for item in (part.copy() if isinstance(part, np.ndarray) and part.flags.writeable else part)
    ]
