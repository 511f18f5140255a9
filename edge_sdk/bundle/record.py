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
_WIDTHS = {"u8": 1, "i8": 1, "u16": 2, "i32": 4, "u32": 4, "u64": 8}


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
        self._bytes = np.frombuffer(reader.view, np.uint8)
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
        found = np.zeros(len(at), np.int64)
        there = at > 0
        found[there] = self._load(at[there], kind)
        return found

    def targets(self, field: int) -> Integers:
        """Return where an offset field of each record points, 0 where it is left out."""
        at = self._at(field)
        offsets = self.integers(field, "u32")
        return np.where(at > 0, at + offsets, 0)

    def counts(self, targets: Integers, item_bytes: int) -> Integers:
        """Return how many items the vectors at some places have, 0 where there is none."""
        found = np.zeros(len(targets), np.int64)
        there = targets > 0
        found[there] = self._load(targets[there], "u32")
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
        slot = 4 + 2 * field
        offsets = np.zeros(len(self.places), np.int64)
        there = self._vtable_sizes >= slot + 2
        offsets[there] = self._load(self.vtables[there] + slot, "u16")
        if (offsets >= self._sizes).any():
            raise self._reader.damaged("The layout of a record points outside the record.")
        return np.where(offsets > 0, self.places + offsets, 0)

    def _load(self, places: Integers, kind: str) -> Integers:
        width = _WIDTHS[kind]
        if len(places) and (places.min() < 0 or places.max() > self._reader.size - width):
            raise self._reader.damaged("An offset in it points outside the data.")
        found = np.zeros(len(places), np.int64)
        for byte in range(width):
            found |= self._bytes[places + byte].astype(np.int64) << (8 * byte)
        if kind.startswith("i"):
            found -= (found >> (8 * width - 1)) << (8 * width)
        return found


def _elements(reader: FlatReader, table: Table, field: int) -> Integers:
    at = table.target(field)
    if not at:
        return np.zeros(0, np.int64)
    start, count = reader.vector(at, 4)
    offsets = np.frombuffer(reader.view[start : start + 4 * count], "<u4").astype(np.int64)
    return start + 4 * np.arange(count) + offsets
