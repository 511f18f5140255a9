"""A model's graphs in columns: the records of all their tensors and operators, put end to end."""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.bundle.flatbuffer import FlatReader, Table
from edge_sdk.bundle.operation import operator_codes
from edge_sdk.bundle.record import Integers, Records

__all__ = ["Graphs"]


@dataclass(frozen=True, slots=True)
class Graphs:
    """The graphs of a model.

    Attributes
    ----------
    tables : tuple of Table
        One for each graph.
    codes : list of int
        What the operators' own numbers stand for; see `edge_sdk.bundle.operation`.
    tensors, operators : Records
        Those of all graphs.
    tensor_counts, operator_counts : ndarray
        ``(G,)`` int64, how many of them each graph has.
    """

    tables: tuple[Table, ...]
    codes: list[int]
    tensors: Records
    tensor_counts: Integers
    operators: Records
    operator_counts: Integers

    @classmethod
    def of(cls, reader: FlatReader) -> Graphs:
        """Read them.

        Raises
        ------
        BundleError
            Something in them points outside of the model.
        """
        root = reader.root()
        tables = tuple(root.tables(2))
        return cls(tables, operator_codes(root), *Records.of(reader, tables, 0), *Records.of(reader, tables, 3))
