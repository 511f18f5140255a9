"""A small model made at run time: a chain of matrix products with INT8 weights, as a decoder's are.

Source: schema.fbs of TensorFlow Lite, as in LiteRT 2.3 (field numbers, type and operator codes);
https://flatbuffers.dev/internals (layout of tables, vtables, vectors and strings).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["product_model"]

_FLOAT32, _INT8 = 0, 9
_FULLY_CONNECTED, _FULLY_CONNECTED_VERSION, _FULLY_CONNECTED_OPTIONS = 9, 9, 8
# What the engine's kernels ask of weights: `force_align: 16` of the schema.
_ALIGN_BYTES = 16

# A whole number, a text, an array, records one after the other, or a record: its fields by number.
Value: TypeAlias = "int | str | npt.NDArray[np.generic] | Sequence[Record] | Record"
Record: TypeAlias = Mapping[int, "Value"]


def product_model(rows: int, side: int, products: int, seed: int = 7) -> bytes:
    """Write a model that multiplies ``(rows, side)`` float32 by ``(side, side)`` INT8 weights, again and again.

    Activations are quantized as it runs, as in bundles exported with INT8 weights and float activations.

    Parameters
    ----------
    rows : int
        How many at once: 1 as in decoding, 128 as in prefill.
    side : int
        Of the weights.
    products : int
        How many one after the other, each on what the one before gave.
    seed : int
        Of the weights' values, which no kernel's speed depends on.

    Returns
    -------
    bytes
        A ``.tflite`` file.

    Examples
    --------
    >>> from edge_sdk.bundle.tflite import read_tflite
    >>> model = read_tflite(memoryview(product_model(4, 32, 3)), "product")
    >>> dict(model.subgraphs[0].operators), model.subgraphs[0].inputs[0].shape
    ({'FULLY_CONNECTED': 3}, (4, 32))
    """
    weights = np.random.default_rng(seed).integers(-127, 128, side * side, np.int8)
    # Keeps numbers as large as they came: 74 is the spread of the weights.
    scales = np.full(side, 1 / (74 * side**0.5), np.float32)
    quantization: Record = {2: scales, 3: np.zeros(side, np.int64), 6: 0}
    constant: Record = {0: _integers(side, side), 1: _INT8, 2: 1, 3: "weights", 4: quantization}
    computed: list[Record] = [
        {0: _integers(rows, side), 1: _FLOAT32, 2: 0, 3: f"rows_{number}"} for number in range(products + 1)
    ]
    options: Record = {3: 1}  # inputs are quantized with a zero point
    operators: list[Record] = [
        {0: 0, 1: _integers(1 + at, 0, -1), 2: _integers(2 + at), 3: _FULLY_CONNECTED_OPTIONS, 4: options}
        for at in range(products)
    ]
    code: Record = {0: _FULLY_CONNECTED, 2: _FULLY_CONNECTED_VERSION, 3: _FULLY_CONNECTED}
    graph: Record = {0: [constant, *computed], 1: _integers(1), 2: _integers(1 + products), 3: operators, 4: "main"}
    writer = _Writer()
    writer.write({0: 3, 1: [code], 2: [graph], 3: "matrix products", 4: [{}, {0: weights}]})
    return bytes(writer.data)


def _integers(*values: int) -> npt.NDArray[np.int32]:
    return np.array(values, np.int32)


class _Writer:
    """Lays records out front to back: offsets point forward to what is written after them."""

    def __init__(self) -> None:
        self.data = bytearray(struct.pack("<I4s", 0, b"TFL3"))

    def write(self, root: Record) -> None:
        """Write the root record, and all that hangs from it."""
        self._point(0, root)

    def _point(self, at: int, value: Value) -> None:
        """Write a value, and the distance to it at a place that was left for it."""
        struct.pack_into("<I", self.data, at, self._place(value) - at)

    def _place(self, value: Value) -> int:
        """Write a value behind what there is; give its place."""
        if isinstance(value, Mapping):
            return self._record(value)
        if isinstance(value, str):
            return self._vector(value.encode() + b"\0", len(value.encode()))
        if isinstance(value, np.ndarray):
            return self._vector(value.tobytes(), len(value))
        assert not isinstance(value, int), "numbers stand in their record"
        place = self._vector(bytes(4 * len(value)), len(value))
        for number, item in enumerate(value):
            self._point(place + 4 + 4 * number, item)
        return place

    def _vector(self, items: bytes, count: int) -> int:
        self.data += bytes((_ALIGN_BYTES - 4 - len(self.data)) % _ALIGN_BYTES)
        place = len(self.data)
        self.data += struct.pack("<I", count) + items
        return place

    def _record(self, fields: Record) -> int:
        """Write a record, its layout in front of it; every field takes four bytes, which all kinds here fit into."""
        self.data += bytes(-len(self.data) % 4)
        known = sorted(fields)
        count = known[-1] + 1 if known else 0
        slots = {field: 4 + 4 * number for number, field in enumerate(known)}
        layout = struct.pack(
            f"<HH{count}H", 4 + 2 * count, 4 + 4 * len(known), *(slots.get(field, 0) for field in range(count))
        )
        layout += bytes(-len(layout) % 4)
        self.data += layout
        place = len(self.data)
        self.data += struct.pack("<i", len(layout)) + bytes(4 * len(known))
        for field, slot in slots.items():
            value = fields[field]
            if isinstance(value, int):
                struct.pack_into("<i", self.data, place + slot, value)
            else:
                self._point(place + slot, value)
        return place
