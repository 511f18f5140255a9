"""Write TensorFlow Lite graphs operator by operator.

A converter decides itself which operators a network becomes; a decoder that runs hundreds of small ones for every
token wants each of them chosen. Written here, a model of a billion weights takes seconds and no framework, constants
and quantization are stored once however many signatures use them, and names are short.

Source: the TensorFlow Lite schema, as ``ai_edge_litert.schema_py_generated`` has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from models.language.weight import Weight

__all__ = ["Graph", "Value"]

_CODES = schema.BuiltinOperator
_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
    "int4": schema.TensorType.INT4,
    "float16": schema.TensorType.FLOAT16,
}


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of one graph: its number there, its shape and its type."""

    index: int
    shape: tuple[int, ...]
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Tensor:
    """What the file says of a tensor.

    ``data`` is None for what is computed; ``scales`` is the tensor with the scales of a weight in blocks.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    data: Any = None
    weight: Weight | None = None
    scales: Value | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """One step: an operator's code, tensors by number (-1 for one left out), and its options."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any = None


@dataclass(slots=True)
class Graph:
    """A graph under construction, which becomes a signature.

    Attributes
    ----------
    name : str
        The signature's.
    tensors, operators : list
        In the order in which they were made.
    inputs, outputs : dict
        By name.
    """

    name: str
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: dict[str, Value] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)
    _known: dict[Any, Value] = field(default_factory=dict)

    def input(self, name: str, shape: Sequence[int], dtype: str = "float32") -> Value:
        """Add an input."""
        value = self._tensor(name, tuple(shape), dtype)
        self.inputs[name] = value
        return value

    def constant(self, data: Any, dtype: str = "float32") -> Value:
        """Add an array that never changes; equal ones are one."""
        array = np.asarray(data, dtype)
        key = (array.tobytes(), array.shape, dtype)
        if key not in self._known:
            self._known[key] = self._tensor("", array.shape, dtype, array)
        return self._known[key]

    def weight(self, weight: Weight) -> Value:
        """Add a matrix of weights; the same one twice is one."""
        if id(weight) not in self._known:
            scales = (
                self._tensor(f"{weight.name}.s", weight.scales.shape, "float16", weight.scales)
                if weight.block
                else None
            )
            self.tensors.append(Tensor(weight.name, weight.shape, _TYPES[weight.dtype], weight.data, weight, scales))
            self._known[id(weight)] = Value(len(self.tensors) - 1, weight.shape)
        return self._known[id(weight)]

    def add(self, a: Value, b: Value) -> Value:
        """Add two tensors; the smaller is stretched."""
        return self._op(_CODES.ADD, (a, b), np.broadcast_shapes(a.shape, b.shape), schema.AddOptionsT())

    def mul(self, a: Value, b: Value) -> Value:
        """Multiply two tensors; the smaller is stretched."""
        return self._op(_CODES.MUL, (a, b), np.broadcast_shapes(a.shape, b.shape), schema.MulOptionsT())

    def rsqrt(self, x: Value) -> Value:
        """Take 1 / square root."""
        return self._op(_CODES.RSQRT, (x,), x.shape)

    def logistic(self, x: Value) -> Value:
        """Take the logistic function."""
        return self._op(_CODES.LOGISTIC, (x,), x.shape)

    def cos(self, x: Value) -> Value:
        """Take the cosine."""
        return self._op(_CODES.COS, (x,), x.shape)

    def sin(self, x: Value) -> Value:
        """Take the sine."""
        return self._op(_CODES.SIN, (x,), x.shape)

    def mean(self, x: Value) -> Value:
        """Average over the last axis, which stays with length 1."""
        options = schema.ReducerOptionsT()
        options.keepDims = True
        return self._op(_CODES.MEAN, (x, self.constant([len(x.shape) - 1], "int32")), (*x.shape[:-1], 1), options)

    def softmax(self, x: Value) -> Value:
        """Take the softmax over the last axis."""
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self._op(_CODES.SOFTMAX, (x,), x.shape, options)

    def to_float(self, x: Value) -> Value:
        """Make whole numbers float32."""
        return self._op(_CODES.CAST, (x,), x.shape, dtype="float32")

    def convert(self, x: Value, dtype: str) -> Value:
        """Make floating-point numbers of one width those of another.

        By the operator that quantizes, which XNNPACK takes for this too; it leaves CAST and DEQUANTIZE to others, which
        convert number by number.
        """
        if x.dtype == dtype:
            return x
        return self._op(_CODES.QUANTIZE, (x,), x.shape, schema.QuantizeOptionsT(), dtype)

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """Give the same elements another shape."""
        if tuple(shape) == x.shape:
            return x
        return self._op(_CODES.RESHAPE, (x, self.constant(shape, "int32")), shape)

    def transpose(self, x: Value, order: Sequence[int]) -> Value:
        """Put the axes in another order."""
        shape = [x.shape[axis] for axis in order]
        return self._op(_CODES.TRANSPOSE, (x, self.constant(order, "int32")), shape, schema.TransposeOptionsT())

    def part(self, x: Value, axis: int, start: int, size: int) -> Value:
        """Take a run of elements along an axis."""
        axis %= len(x.shape)
        begin = [start if at == axis else 0 for at in range(len(x.shape))]
        shape = [size if at == axis else length for at, length in enumerate(x.shape)]
        ends = self.constant(begin, "int32"), self.constant(shape, "int32")
        return self._op(_CODES.SLICE, (x, *ends), shape, schema.SliceOptionsT())

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """Put tensors behind each other along an axis."""
        axis %= len(parts[0].shape)
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        return self._op(_CODES.CONCATENATION, tuple(parts), shape, options)

    def pack(self, numbers: Sequence[Value]) -> Value:
        """Put single whole numbers into one row."""
        options = schema.PackOptionsT()
        options.valuesCount = len(numbers)
        return self._op(_CODES.PACK, tuple(numbers), (len(numbers),), options)

    def blocks(self, x: Value, side: int) -> Value:
        """Cut ``(1, h, w, c)`` into squares, each of which becomes one point: ``(1, h / side, w / side, side^2 c)``."""
        options = schema.SpaceToDepthOptionsT()
        options.blockSize = side
        shape = (1, x.shape[1] // side, x.shape[2] // side, side * side * x.shape[3])
        return self._op(_CODES.SPACE_TO_DEPTH, (x,), shape, options)

    def linear(self, x: Value, weight: Weight) -> Value:
        """Multiply by weights ``(out, in)``, without a bias."""
        options = schema.FullyConnectedOptionsT()
        options.keepNumDims = True
        inputs = (x, self.weight(weight), None)
        return self._op(_CODES.FULLY_CONNECTED, inputs, (*x.shape[:-1], weight.shape[0]), options)

    def matmul(self, a: Value, b: Value, *, turned: bool = False) -> Value:
        """Multiply ``(..., m, k)`` by ``(..., k, n)``, or by ``(..., n, k)`` where `turned`."""
        options = schema.BatchMatMulOptionsT()
        options.adjY = turned
        shape = (*a.shape[:-1], b.shape[-2 if turned else -1])
        return self._op(_CODES.BATCH_MATMUL, (a, b), shape, options)

    def look_up(self, tokens: Value, table: Weight) -> Value:
        """Take rows of a table by ``(n,)`` numbers."""
        return self._op(
            _CODES.EMBEDDING_LOOKUP, (tokens, self.weight(table)), (*tokens.shape, table.shape[1]), dtype="float32"
        )

    def write_into(self, cache: Value, rows: Value, at: Value) -> Value:
        """Overwrite a part of a tensor; where input and output are one buffer, in place."""
        return self._op(_CODES.DYNAMIC_UPDATE_SLICE, (cache, rows, at), cache.shape)

    def _op(
        self,
        code: int,
        inputs: Sequence[Value | None],
        shape: Sequence[int],
        options: Any = None,
        dtype: str = "",
    ) -> Value:
        """Add an operator whose result has the type of what it takes first, unless told otherwise."""
        first = inputs[0]
        out = self._tensor("", tuple(int(size) for size in shape), dtype or (first.dtype if first else "float32"))
        numbers = tuple(-1 if value is None else value.index for value in inputs)
        self.operators.append(Operator(code, numbers, (out.index,), options))
        return out

    def _tensor(self, name: str, shape: tuple[int, ...], dtype: str, data: Any = None) -> Value:
        index = len(self.tensors)
        self.tensors.append(Tensor(name or f"t{index}", shape, _TYPES[dtype], data))
        return Value(index, shape, dtype)
