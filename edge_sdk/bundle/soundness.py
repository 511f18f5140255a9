"""Check what is left of a model's tables: fields that this SDK does not need, and an engine follows unchecked.

Source: schema.fbs of TensorFlow Lite, as in LiteRT 2.3 (field numbers, and which option records hold lists).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_sdk.bundle.flatbuffer import FlatReader
from edge_sdk.bundle.record import Records

__all__ = ["check_soundness"]

_I64, _I32, _U16, _U8 = 8, 4, 2, 1
# Kind of options -> its lists, as field number and bytes of an item; a string is a list of bytes here. All other
# fields of all other kinds are single numbers. First those of field 4 of an operator, then those of field 12.
_LISTS: Mapping[int, Mapping[int, int]] = {
    3: {1: _I32, 2: _I32},
    8: {5: _U8},
    17: {0: _I32},
    30: {0: _I32},
    111: {0: _U8, 1: _U8},
    115: {0: _I32},
}
_LISTS_2: Mapping[int, Mapping[int, int]] = {
    2: {0: _I64},
    3: {0: _I64, 1: _I64, 2: _I64},
    4: {0: _I64, 1: _I64, 2: _I64, 3: _I64, 4: _U8, 7: _I64, 10: _I64, 13: _I64, 16: _I32},
    5: {0: _U8, 2: _U8, 4: _I32, 5: _U8},
    6: {0: _I64},
    7: {1: _I64, 2: _I64, 3: _I64},
    9: {0: _I64},
    10: {0: _I64, 1: _I64, 2: _I64},
    12: {0: _I64, 1: _I64, 2: _I64, 3: _I64, 4: _I32},
    13: {0: _I64, 1: _I64, 2: _I64, 3: _I64, 4: _I64},
    16: {0: _I64, 1: _I64, 2: _I64, 4: _I64},
    17: {0: _I64},
    21: {0: _U8, 2: _U8},
    23: {0: _I32},
}
# How the segments and indices of a sparse dimension are stored: vectors of int32, uint16 or uint8.
_SPARSE_ITEM_BYTES = np.array([0, _I32, _U16, _U8])


def check_soundness(reader: FlatReader) -> None:
    """Check that every offset in a model leads somewhere.

    Raises
    ------
    BundleError
        Something is out of place.
    """
    root = reader.root()
    graphs = list(root.tables(2))
    tensors, _ = Records.of(reader, graphs, 0)
    _check_lists(tensors, {3: _U8, 7: _I32})
    _check_quantization(_inner(reader, tensors, 4))
    _check_sparsity(reader, tensors)
    operators, _ = Records.of(reader, graphs, 3)
    _check_lists(operators, {5: _U8, 7: _U8})
    _check_options(reader, operators, 3, 4, _LISTS)
    _check_options(reader, operators, 11, 12, _LISTS_2)
    beyond, beyond_bytes = operators.integers(9, "u64"), operators.integers(10, "u64")
    # What has its highest bit set is below 0 here; the engine's sum of two such would start anew from 0.
    if ((beyond < 0) | (beyond_bytes < 0) | (beyond > reader.size - beyond_bytes)).any():
        raise reader.damaged("The options of an operator lie outside the data.")
    if any(not item.target(0) for item in root.tables(6)):
        raise reader.damaged("A piece of its metadata has no name.")


def _check_lists(records: Records, lists: Mapping[int, int]) -> None:
    for field, item_bytes in lists.items():
        records.counts(records.targets(field), item_bytes)


def _inner(reader: FlatReader, records: Records, field: int) -> Records:
    """Return the records that a field points at, with the layout of each kind of them checked."""
    targets = records.targets(field)
    inner = Records(reader, targets[targets > 0])
    order = inner.vtables.argsort()  # a dict of Python's numbers would take 1 MB for a decoder's
    for place in inner.places[order[np.diff(inner.vtables[order], prepend=-1) > 0]].tolist():
        reader.table(place)
    return inner


def _check_quantization(found: Records) -> None:
    _check_lists(found, {0: _I32, 1: _I32, 2: _I32, 3: _I64, 5: 0})


def _check_sparsity(reader: FlatReader, tensors: Records) -> None:
    found = _inner(reader, tensors, 6)
    _check_lists(found, {0: _I32, 1: _I32})
    if not len(found):
        return
    tables = [reader.table(place) for place in found.places.tolist()]
    axes, _ = Records.of(reader, tables, 2)
    for kind, field in ((2, 3), (4, 5)):
        kinds = axes.integers(kind, "u8")
        targets = axes.targets(field)
        if (kinds >= len(_SPARSE_ITEM_BYTES)).any() or ((kinds > 0) != (targets > 0)).any():
            raise reader.damaged("A sparse tensor is stored in a way that is not known.")
        for one in range(1, len(_SPARSE_ITEM_BYTES)):
            vectors = Records(reader, targets[kinds == one])
            _check_lists(vectors, {0: int(_SPARSE_ITEM_BYTES[one])})


def _check_options(
    reader: FlatReader, operators: Records, kind: int, field: int, lists: Mapping[int, Mapping[int, int]]
) -> None:
    kinds = operators.integers(kind, "u8")[operators.targets(field) > 0]
    options = _inner(reader, operators, field)
    for one in sorted(set(kinds.tolist())):  # numpy's own way imports a part of it that takes 15 ms
        _check_lists(Records(reader, options.places[kinds == one]), lists.get(one, {}))
