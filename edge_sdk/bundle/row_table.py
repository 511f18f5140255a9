"""Find the table that a model looks tokens up in: of many megabytes it reads a row for each token, and no more."""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.bundle.flatbuffer import FlatReader, Table
from edge_sdk.bundle.operation import OPERATORS, operator_codes
from edge_sdk.bundle.record import Records

__all__ = ["RowTable", "row_table"]

_LOOK_UP = OPERATORS.index("EMBEDDING_LOOKUP")
_TABLE = 1  # the operand that is looked up in


@dataclass(frozen=True, slots=True)
class RowTable:
    """Rows of equal size, one behind the other.

    Attributes
    ----------
    begin : int
        The byte of the model at which the first row begins.
    rows : int
        How many there are.
    row_bytes : int
        Of each.
    """

    begin: int
    rows: int
    row_bytes: int


def row_table(view: memoryview, name: str) -> RowTable | None:
    """Return the table of the first operator that looks rows up; None where no operator does.

    Parameters
    ----------
    view : memoryview
        The model's bytes, ``(n,)`` uint8; it must have passed its checks.
    name : str
        What to call it in errors.

    Raises
    ------
    BundleError
        Something in it points outside of it.
    """
    reader = FlatReader(view, name)
    with reader.guard():
        root = reader.root()
        codes = operator_codes(root)
        if _LOOK_UP not in codes:
            return None
        for graph in root.tables(2):
            operators, _ = Records.of(reader, [graph], 3)
            (found,) = (operators.integers(0, "u32") == codes.index(_LOOK_UP)).nonzero()
            operands = reader.table(int(operators.places[found[0]])).integers(1, _TABLE + 1) if len(found) else ()
            if len(operands) > _TABLE:
                return _rows(reader, root, _entry(reader, graph, 0, operands[_TABLE]))
    return None


def _rows(reader: FlatReader, root: Table, tensor: Table) -> RowTable | None:
    """Return where the rows of a constant are; None where it is none, or its rows are no whole bytes."""
    buffer = _entry(reader, root, 4, tensor.integer(2, "u32"))
    begin, size_bytes = reader.vector(buffer.target(0), 1) if buffer.target(0) else (0, 0)
    if buffer.integer(1, "u64") > 1:  # models above 2 GB keep their weights behind the tables
        begin, size_bytes = buffer.integer(1, "u64"), buffer.integer(2, "u64")
    rows = max(tensor.integers(0, 8)[:1] or (0,))
    if not size_bytes or not 0 < rows <= size_bytes or size_bytes % rows or begin + size_bytes > reader.size:
        return None
    return RowTable(begin, rows, size_bytes // rows)


def _entry(reader: FlatReader, table: Table, field: int, index: int) -> Table:
    """Return one of a vector of records."""
    start, count = reader.vector(table.target(field), 4)
    if not 0 <= index < count:
        raise IndexError(f"record {index} of {count}")
    place = start + 4 * index
    return reader.table(place + int.from_bytes(reader.view[place : place + 4], "little"))
