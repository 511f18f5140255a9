"""Which tensors a model's operators hand on, how large they are and how long each is needed: what sizes its memory.

Read in columns, as `edge_sdk.bundle.tflite` reads; the model must have passed its checks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sdk.bundle.flatbuffer import FlatReader
from edge_sdk.bundle.graph import Graphs
from edge_sdk.bundle.operation import OPERATORS
from edge_sdk.bundle.record import Integers, Records
from edge_sdk.bundle.tflite import TYPES

__all__ = ["Dataflow", "read_dataflow"]

# Operators that move a window over a picture: with weights as their second operand, and without.
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")


@dataclass(frozen=True, slots=True)
class Dataflow:
    """One graph of a model, ``T`` tensors and ``N`` operators in the order in which they run.

    Attributes
    ----------
    operators : tuple of str
        The name of each operator; ``CUSTOM`` for all that are not TFLite's own.
    tensor_bytes : ndarray
        ``(T,)`` int64, what each tensor takes; a side that is left open counts as 1.
    shapes : ndarray
        ``(T, 8)`` int64, the sides of each tensor, 1 behind its last one.
    buffers : ndarray
        ``(T,)`` int64, which of the model's buffers holds a tensor's constant value; -1 where it is computed.
    windows, strides : ndarray
        ``(N, 2)`` int64, height and width of the window that an operator moves over a picture, and how far it
        moves at once; 1 for operators without one.
    uses : ndarray
        ``(U, 2)`` int64: an operator, and a tensor that it reads.
    results : ndarray
        ``(R, 2)`` int64: an operator, and a tensor that it writes.
    inputs, outputs : ndarray
        ``(n,)`` int64, the tensors that are the graph's ends.
    """

    operators: tuple[str, ...]
    tensor_bytes: Integers
    shapes: Integers
    buffers: Integers
    windows: Integers
    strides: Integers
    uses: Integers
    results: Integers
    inputs: Integers
    outputs: Integers


def read_dataflow(view: memoryview, name: str) -> tuple[Dataflow, ...]:
    """Read how data flows through each graph of a model.

    Parameters
    ----------
    view : memoryview
        The model's bytes, ``(n,)`` uint8.
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
        known = np.array([OPERATORS[code] if 0 <= code < len(OPERATORS) else "CUSTOM" for code in graphs.codes])
        constant = _constants(reader)
        tensors, operators = graphs.tensors, graphs.operators
        shapes = _shapes(tensors)
        sizes = np.ceil(
            shapes.prod(axis=1) * np.array([bits for _, bits in TYPES])[tensors.integers(1, "i8")] / 8
        ).astype(np.int64)
        buffers = tensors.integers(2, "u32")
        buffers = np.where(constant[buffers] | (tensors.integers(10, "u32") > 0), buffers, -1)
        names = known[operators.integers(0, "u32")]
        strides, pools = _strides(reader, operators, names)
        found = []
        for place, graph in enumerate(graphs.tables):
            part, run = _part(graphs.tensor_counts, place), _part(graphs.operator_counts, place)
            uses = _operands(operators, 1, run)
            found.append(
                Dataflow(
                    tuple(names[run].tolist()),
                    sizes[part],
                    shapes[part],
                    buffers[part],
                    _windows(names[run], uses, shapes[part], pools[run]),
                    strides[run],
                    uses,
                    _operands(operators, 2, run),
                    np.array(graph.integers(1, reader.size), np.int64),
                    np.array(graph.integers(2, reader.size), np.int64),
                )
            )
        return tuple(found)


def _part(counts: Integers, place: int) -> slice:
    """Return where one graph's records stand among those of all."""
    begin = int(counts[:place].sum())
    return slice(begin, begin + int(counts[place]))


def _strides(reader: FlatReader, operators: Records, names: NDArray[np.str_]) -> tuple[Integers, Integers]:
    """Return the strides of operators that have them, and the windows of pools: ``(N, 2)``, height and width."""
    found = np.ones((2, len(operators), 2), np.int64)
    options = operators.targets(4)
    for which, fields, kinds in ((0, (2, 1), _WEIGHTED + _POOLS), (1, (4, 3), _POOLS)):
        there = np.isin(names, kinds) & (options > 0)
        records = Records(reader, options[there])
        found[which, there] = np.stack([np.maximum(records.integers(field, "i32"), 1) for field in fields], axis=1)
    return found[0], found[1]


def _windows(names: NDArray[np.str_], uses: Integers, shapes: Integers, pools: Integers) -> Integers:
    """Return the windows of one graph's operators; those of convolutions are sides of their weights."""
    windows = pools.copy()
    for operator in np.flatnonzero(np.isin(names, _WEIGHTED)).tolist():
        operands = uses[uses[:, 0] == operator, 1]
        if len(operands) > 1:
            windows[operator] = shapes[operands[1], 1:3]
    return windows


def _constants(reader: FlatReader) -> NDArray[np.bool_]:
    """Say of each buffer whether it holds anything."""
    records, _ = Records.of(reader, [reader.root()], 4)
    inside = records.counts(records.targets(0), 1)
    beyond = records.integers(1, "u64")
    return (inside > 0) | (beyond > 1)


def _shapes(tensors: Records) -> Integers:
    targets = tensors.targets(0)
    ranks = tensors.counts(targets, 4)
    shapes = np.ones((len(ranks), 8), np.int64)
    for axis in range(min(int(ranks.max(initial=0)), 8)):
        there = ranks > axis
        shapes[there, axis] = np.maximum(tensors.number(targets[there], axis), 1)
    return shapes


def _operands(operators: Records, field: int, run: slice) -> Integers:
    """Return pairs of operator and tensor, those that are left out left out."""
    lists = operators.targets(field)[run]
    sizes = operators.counts(lists, 4)
    operands = operators.numbers(lists, sizes)
    pairs = np.stack([np.repeat(np.arange(len(lists)), sizes), operands], axis=1)
    return pairs[operands >= 0]
