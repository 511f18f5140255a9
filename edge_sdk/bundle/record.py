"""Many records of a FlatBuffer at once, in columns.

A language model has ten thousand tensors and operators, and a visit to each of them in Python costs 10 µs; a
numpy column of one field over all of them costs a few microseconds a thousand. The checks are those of
:mod:`edge_sdk.bundle.flatbuffer`: no place is read before it is known to lie within the data.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edge_sdk.bundle.flatbuffer import FlatReader, Table

__all__ = ["Integers", "Records"]

Integers = NDArray[np.int64]
_KINDS = {kind: np.dtype(f"<{kind[0]}{int(kind[1:]) // 8}") for kind in ("u8", "i8", "u16", "i32", "u32", "u64")}


class Records:
    """Records of one kind, all vectors of them put end to end.

    Parameters
    ----------
    reader : FlatReader
        Where they lie.
    places : Integers
        ``(n,)`` int64, the byte at which each begins.

    Attributes
    ----------
    vtables : Integers
        ``(n,)`` int64, where the layout of each stands.
    """

    def __init__(self, reader: FlatReader, places: Integers) -> None:
        reader.spend(tables=len(places))
        self._reader = reader
        self._found_at: dict[int, Integers] = {}
        self.places = places
        self.vtables = places - self._load(places, "i32")
        self._vtable_sizes = self._load(self.vtables, "u16")
        self._sizes = self._load(self.vtables + 2, "u16")
        short = (self._vtable_sizes < 4) | (self._sizes < 4)
        if short.any() or (places + self._sizes > reader.size).any():
            raise reader.damaged("The layout of a record makes no sense, or ends behind the data.")

    @classmethod
    def of(cls, reader: FlatReader, tables: Iterable[Table], field: int) -> tuple[Records, Integers]:
        """Return the records in one vector of each table, and how many there are in each."""
        places = [_elements(reader, table, field) for table in tables]
        counts = np.array([len(part) for part in places], np.int64)
        return cls(reader, np.concatenate([np.zeros(0, np.int64), *places])), counts

    def __len__(self) -> int:
        return len(self.places)

    def integers(self, field: int, kind: str) -> Integers:
        """Return a whole number of each record, 0 where it is left out."""
        at = self._at(field)
        return self._load_where(at > 0, at, kind)

    def targets(self, field: int) -> Integers:
        """Return where an offset field of each record points, 0 where it is left out."""
        at = self._at(field)
        there = at > 0
        return np.where(there, at + self._load_where(there, at, "u32"), 0)

    def counts(self, targets: Integers, item_bytes: int) -> Integers:
        """Return how many items the vectors at some places have, 0 where there is none."""
        there = targets > 0
        found = self._load_where(there, targets, "u32")
        if (found * item_bytes > self._reader.size - targets - 4)[there].any():
            raise self._reader.damaged("A list claims more items than the data holds.")
        return found

    def numbers(self, targets: Integers, counts: Integers) -> Integers:
        """Return the int32 items of vectors, end to end."""
        total = int(counts.sum())
        self._reader.spend(numbers=total)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        places = np.repeat(targets + 4, counts) + 4 * (np.arange(total) - before)
        return self._load(places, "i32")

    def number(self, targets: Integers, place: int) -> Integers:
        """Return the item at one place of each int32 vector; the vectors must be that long."""
        return self._load(targets + 4 + 4 * place, "i32")

    def _at(self, field: int) -> Integers:
        """Return the byte of a field in each record, 0 where it is left out."""
        if field not in self._found_at:
            slot = 4 + 2 * field
            offsets = self._load_where(self._vtable_sizes >= slot + 2, self.vtables + slot, "u16")
            if (offsets >= self._sizes).any():
                raise self._reader.damaged("The layout of a record points outside the record.")
            self._found_at[field] = np.where(offsets > 0, self.places + offsets, 0)
        return self._found_at[field]

    def _load_where(self, there: NDArray[np.bool_], places: Integers, kind: str) -> Integers:
        """Return the numbers that stand at some of the places, and 0 for the others."""
        found = np.zeros(len(places), np.int64)
        if there.any():
            found[there] = self._load(places[there], kind)
        return found

    def _load(self, places: Integers, kind: str) -> Integers:
        if not len(places):
            return np.zeros(0, np.int64)
        item, size = _KINDS[kind], self._reader.size
        if int(places.view(np.uint64).max()) > size - item.itemsize:  # those below 0 are the greatest here
            raise self._reader.damaged("An offset in it points outside the data.")
        # Every byte of the data begins an item of this view; nobody promises that numbers are aligned.
        return np.ndarray(size - item.itemsize + 1, item, self._reader.view, 0, 1)[places].astype(np.int64)


def _elements(reader: FlatReader, table: Table, field: int) -> Integers:
    at = table.target(field)
    if not at:
        return np.zeros(0, np.int64)
    start, count = reader.vector(at, 4)
    offsets = np.frombuffer(reader.view[start : start + 4 * count], "<u4").astype(np.int64)
    return start + 4 * np.arange(count) + offsets
