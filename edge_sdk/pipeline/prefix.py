"""What decoders of one model have computed already: who begins with the same tokens copies it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol
from weakref import WeakSet

import numpy as np

from edge_sdk.pipeline.feeder import Item
from edge_sdk.pipeline.kv_cache import Caches
from edge_sdk.pipeline.pace import Pace

__all__ = ["Computed", "Kin", "common", "items_of"]


class Computed(Protocol):
    """Caches of somebody else, and what the places in them were computed from.

    Attributes
    ----------
    rows : list
        What each place was computed from; it is cut before anything of it is written over.
    caches : Caches or None
        The arrays.
    rewrites : int
        How often `rows` were cut: what was copied in between is not to be trusted.
    """

    rows: list[Item]
    caches: Caches | None
    rewrites: int


class Kin:
    """All that the decoders of one model share: what runs cost, and what was computed.

    Attributes
    ----------
    pace : Pace
        The costs.
    decoders : WeakSet
        Those whose caches can be copied from.
    """

    def __init__(self, weights_bytes: int) -> None:
        self.pace = Pace(weights_bytes)
        self.decoders: WeakSet[Computed] = WeakSet()

    def longest(self, wanted: Sequence[Item], but: Computed) -> tuple[int, Computed | None]:
        """Find whose places agree with what is wanted for the longest, and for how many."""
        best: tuple[int, Computed | None] = 0, None
        for other in tuple(self.decoders):
            if other is not but and other.caches is not None and other.caches.axes is not None:
                count = common(tuple(other.rows), wanted)
                if count > best[0]:
                    best = count, other
        return best


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
