"""What decoders of one model have computed already: who begins with the same tokens copies it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol
from weakref import WeakSet

from edge_sdk.pipeline.chunk import plan_chunks
from edge_sdk.pipeline.head import HeadFile
from edge_sdk.pipeline.item import Item, common
from edge_sdk.pipeline.kv_cache import Caches, Layout
from edge_sdk.pipeline.pace import Pace

__all__ = ["Computed", "Kin"]


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

    Parameters
    ----------
    weights_bytes : int
        What a step reads besides the cache.
    head_file : HeadFile, optional
        Where it is kept on flash what all prompts begin with.

    Attributes
    ----------
    pace : Pace
        The costs.
    head : Computed or None
        What an earlier process left on flash.
    """

    def __init__(self, weights_bytes: int, head_file: HeadFile | None = None) -> None:
        self._unread = self._head_file = head_file
        self.pace = Pace(weights_bytes)
        self._decoders: WeakSet[Computed] = WeakSet()
        self._lock = threading.Lock()  # a set must not grow while it is gone through
        self.head: Computed | None = None

    def join(self, decoder: Computed) -> None:
        """Let others copy from a decoder's caches, as long as it is there."""
        with self._lock:
            self._decoders.add(decoder)

    def leave(self, decoder: Computed) -> None:
        """Let nobody copy from it any more."""
        with self._lock:
            self._decoders.discard(decoder)

    def longest(self, wanted: Sequence[Item], but: Computed) -> tuple[int, Computed | None]:
        """Find whose places agree with what is wanted for the longest, and for how many."""
        best: tuple[int, Computed | None] = 0, None
        if self.head is None and len(self._decoders) < 2:  # the usual case, in a tenth of the time
            return best
        with self._lock:
            others = (*self._decoders, self.head)
        for other in others:
            if other is not None and other is not but and other.caches is not None and other.caches.axes is not None:
                count = common(tuple(other.rows), wanted)
                if count > best[0]:
                    best = count, other
        return best

    def read_head(self, find: Callable[[], Layout | None]) -> None:
        """Have what an earlier process left on flash, for caches of the layout that `find` gives; once."""
        file, self._unread = self._unread, None
        if file is not None and (layout := find()) is not None:
            self.head = file.read(layout)

    def keep_head(self, find: Callable[[], Sequence[int]], holder: Computed) -> None:
        """Have what all prompts begin with, which `find` gives, kept on flash, where somebody's caches hold it."""
        caches, file = holder.caches, self._head_file
        if file is not None and file.due and caches is not None and self.pace.known:
            head, length = find(), caches.stage.length
            cost, _ = plan_chunks(min(len(head), length), 0, length, self.pace.chunks(caches.stage))
            file.keep(head, holder.rows, caches, cost)
