"""Find the operators that give real numbers from whole ones of which each row has a scale of its own.

An engine of before 2024 reads one scale for all of a table or matrix, finds none, and gives 0 for everything.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.bundle.flatbuffer import FlatReader
from edge_sdk.bundle.graph import Graphs
from edge_sdk.bundle.operation import OPERATORS
from edge_sdk.bundle.record import Records
from edge_sdk.bundle.tflite import TYPES

__all__ = ["row_scaled"]

_KINDS = ("EMBEDDING_LOOKUP", "FULLY_CONNECTED")
_REAL = [name for name, _ in TYPES].index("float32")
_CONSTANTS, _RESULT = 1, 0  # the operand that is looked up in, or multiplied by; and the only result


def row_scaled(view: memoryview, name: str) -> tuple[str, ...]:
    """Name the operators of a model that do so: of ``EMBEDDING_LOOKUP`` and ``FULLY_CONNECTED``.

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
        graphs = Graphs.of(reader)
        tensors, operators, counts = graphs.tensors, graphs.operators, graphs.tensor_counts
        before = np.repeat(np.cumsum(counts) - counts, graphs.operator_counts)  # tensors of the graphs before its own
        used, given = operators.targets(1), operators.targets(2)
        there = (operators.counts(used, 4) > _CONSTANTS) & (operators.counts(given, 4) > _RESULT)
        constants = operators.number(used[there], _CONSTANTS)
        real = tensors.integers(1, "i8")[before[there] + operators.number(given[there], _RESULT)] == _REAL
        # What is left out is -1, which stands for the last tensor here: of the two kinds neither may do so.
        found = operators.integers(0, "u32")[there][real & _scaled(reader, tensors)[before[there] + constants]]
        names = {OPERATORS[graphs.codes[code]] for code in set(found.tolist())}
        return tuple(kind for kind in _KINDS if kind in names)


def _scaled(reader: FlatReader, tensors: Records) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Say of each tensor whether it has several scales, or blocks with scales of their own."""
    at = tensors.targets(4)
    parameters = Records(reader, at[at > 0])
    found = np.zeros(len(at), np.bool_)
    found[at > 0] = (parameters.counts(parameters.targets(2), 4) > 1) | (parameters.integers(4, "u8") > 0)
    return found
