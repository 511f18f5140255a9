"""Read FlatBuffers that nobody vouches for: every offset is checked before it is followed.

The generated classes of the ``flatbuffers`` package follow offsets without looking; this reader is what the
formats here (the header of ``.litertlm``, ``.tflite`` models and their metadata) need, and no more.

Source: https://flatbuffers.dev/internals (layout of tables, vtables, vectors and strings).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from edge_sdk.errors import BundleError

__all__ = ["FlatReader", "Table"]

# A language model of 10 000 tensors and operators has some 40 000 records.
_TABLES_MAX = 500_000
_NUMBERS_MAX = 2_000_000
_U8, _I8, _U16 = struct.Struct("<B"), struct.Struct("<b"), struct.Struct("<H")
_I32, _U32 = struct.Struct("<i"), struct.Struct("<I")
_F32, _F64 = struct.Struct("<f"), struct.Struct("<d")
_I64, _U64, _I16 = struct.Struct("<q"), struct.Struct("<Q"), struct.Struct("<h")
SCALARS = {
    "u8": _U8,
    "i8": _I8,
    "u16": _U16,
    "i16": _I16,
    "u32": _U32,
    "i32": _I32,
    "u64": _U64,
    "i64": _I64,
    "f32": _F32,
    "f64": _F64,
}


class FlatReader:
    """One FlatBuffer in memory, with a budget for what may be read from it.

    Parameters
    ----------
    view : memoryview
        The bytes, from the root offset on; ``(n,)`` uint8.
    name : str
        What to call it in errors: the path, and the section where there is one.
    """

    __slots__ = (
        "_numbers_left",
        "_tables_left",
        "_text",
        "_text_left_bytes",
        "_vtables",
        "name",
        "size",
        "view",
    )

    def __init__(self, view: memoryview, name: str) -> None:
        self.view = view
        self.size = len(view)
        self.name = name
        self._tables_left = _TABLES_MAX
        self._numbers_left = _NUMBERS_MAX
        # Strings of an honest file do not overlap, so all of them together are no longer than the file.
        self._text_left_bytes = self.size
        self._text: dict[int, str] = {}
        self._vtables: dict[int, tuple[int, tuple[int, ...]]] = {}

    def damaged(self, why: str) -> BundleError:
        """Make the error that says what is wrong with this file."""
        return BundleError(
            f"{self.name} is damaged.",
            why=why,
            fix="Copy the file again and compare its SHA-256 with the source's (edge bundle info shows it).",
        )

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Turn a read past the end into an error that names the file."""
        try:
            yield
        except (struct.error, IndexError, OverflowError) as error:
            raise self.damaged(f"An offset in it points outside the data ({error}).") from error
        except UnicodeDecodeError as error:
            raise self.damaged(f"A name in it is no UTF-8 text ({error.reason}).") from error

    def root(self) -> Table:
        """Return the root table."""
        return self.table(_U32.unpack_from(self.view, 0)[0])

    def spend(self, *, tables: int = 0, numbers: int = 0) -> None:
        """Take what is about to be read off the budget; vectors may share records, so the size is no bound."""
        self._tables_left -= tables
        self._numbers_left -= numbers
        if self._tables_left < 0 or self._numbers_left < 0:
            raise self.damaged(f"It describes more than {_TABLES_MAX} records or {_NUMBERS_MAX} numbers.")

    def table(self, at: int) -> Table:
        """Return the table at a place, its vtable checked."""
        vtable_at = at - _I32.unpack_from(self.view, at)[0]
        known = self._vtables.get(vtable_at)
        if known is None:
            known = self._vtables[vtable_at] = self._vtable(vtable_at)
        if at + known[0] > self.size:
            raise self.damaged(f"A record at byte {at} ends behind the data.")
        return Table(self, at, known[1])

    def _vtable(self, at: int) -> tuple[int, tuple[int, ...]]:
        if not 0 <= at <= self.size - 4:
            raise self.damaged(f"A record's layout lies outside the data (byte {at}).")
        size, table_size = struct.unpack_from("<HH", self.view, at)
        if size < 4 or size % 2 or table_size < 4:
            raise self.damaged(f"A record's layout at byte {at} makes no sense.")
        fields = struct.unpack_from(f"<{(size - 4) // 2}H", self.view, at + 4)
        if any(field >= table_size for field in fields):
            raise self.damaged(f"A record's layout at byte {at} points outside the record.")
        return table_size, fields

    def vector(self, at: int, item_bytes: int) -> tuple[int, int]:
        """Return where the items of the vector at a place begin, and how many there are."""
        count: int = _U32.unpack_from(self.view, at)[0]
        if count * item_bytes > self.size - at - 4:
            raise self.damaged(f"A list at byte {at} claims {count} items, more than the data holds.")
        return at + 4, count

    def integers(self, at: int, most: int) -> tuple[int, ...]:
        """Return the int32 vector at a place."""
        start, count = self.vector(at, 4)
        self.spend(numbers=count)
        if count > most:
            raise self.damaged(f"A list at byte {at} holds {count} numbers; {most} are possible here.")
        return struct.unpack_from(f"<{count}i", self.view, start)

    def text(self, at: int) -> str:
        """Return the string at a place."""
        known = self._text.get(at)
        if known is None:
            start, count = self.vector(at, 1)
            self._text_left_bytes -= count
            if self._text_left_bytes < 0:
                raise self.damaged("Its names overlap.")
            if self.view[start + count]:  # engines read on to the zero that must follow
                raise self.damaged(f"A name at byte {at} does not end where it should.")
            known = self._text[at] = bytes(self.view[start : start + count]).decode()
        return known


class Table:
    """A record: fields by number, each with a default where the file leaves it out."""

    __slots__ = ("_at", "_fields", "_reader")

    def __init__(self, reader: FlatReader, at: int, fields: tuple[int, ...]) -> None:
        self._reader = reader
        self._at = at
        self._fields = fields

    def place(self, field: int) -> int:
        """Return the byte at which a field stands, or 0 where it is left out."""
        offset = self._fields[field] if field < len(self._fields) else 0
        return self._at + offset if offset else 0

    def target(self, field: int) -> int:
        """Return the byte that an offset field points at, or 0 where it is left out."""
        at = self.place(field)
        return at + int(_U32.unpack_from(self._reader.view, at)[0]) if at else 0

    def integer(self, field: int, kind: str = "i32", default: int = 0) -> int:
        """Return a whole number; ``kind`` is one of u8, i8, u16, i16, u32, i32, u64, i64."""
        at = self.place(field)
        return int(SCALARS[kind].unpack_from(self._reader.view, at)[0]) if at else default

    def real(self, field: int, kind: str = "f32") -> float:
        """Return a number with a fraction; ``kind`` is f32 or f64."""
        at = self.place(field)
        return float(SCALARS[kind].unpack_from(self._reader.view, at)[0]) if at else 0.0

    def text(self, field: int) -> str:
        """Return a string, empty where it is left out."""
        at = self.target(field)
        return self._reader.text(at) if at else ""

    def table(self, field: int) -> Table | None:
        """Return a record within this one."""
        at = self.target(field)
        if not at:
            return None
        self._reader.spend(tables=1)
        return self._reader.table(at)

    def count(self, field: int, item_bytes: int = 4) -> int:
        """Return how many items a vector holds, without reading them."""
        at = self.target(field)
        return self._reader.vector(at, item_bytes)[1] if at else 0

    def data(self, field: int) -> memoryview:
        """Return a vector of bytes as a view of the file, nothing copied."""
        at = self.target(field)
        if not at:
            return self._reader.view[:0]
        start, count = self._reader.vector(at, 1)
        return self._reader.view[start : start + count]

    def integers(self, field: int, most: int) -> tuple[int, ...]:
        """Return a vector of int32 with ``most`` items at most."""
        at = self.target(field)
        return self._reader.integers(at, most) if at else ()

    def reals(self, field: int, most: int) -> tuple[float, ...]:
        """Return a vector of float32 with ``most`` items at most."""
        at = self.target(field)
        if not at:
            return ()
        start, count = self._reader.vector(at, 4)
        if count > most:
            raise self._reader.damaged(f"A list at byte {at} holds {count} numbers; {most} are possible here.")
        return struct.unpack_from(f"<{count}f", self._reader.view, start)

    def first(self, field: int, kind: str) -> int | float:
        """Return the first number of a vector, or 0 where there is none."""
        at = self.target(field)
        layout = SCALARS[kind]
        if not at or not self._reader.vector(at, layout.size)[1]:
            return 0
        number: int | float = layout.unpack_from(self._reader.view, at + 4)[0]
        return number

    def tables(self, field: int) -> Iterator[Table]:
        """Yield the records of a vector one by one."""
        at = self.target(field)
        if not at:
            return
        start, count = self._reader.vector(at, 4)
        self._reader.spend(tables=count)
        for place in range(start, start + 4 * count, 4):
            yield self._reader.table(place + _U32.unpack_from(self._reader.view, place)[0])
