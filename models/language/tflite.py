"""Write graphs as a ``.tflite`` file, with constants and scales shared by all of them.

Source: the TensorFlow Lite schema, as ``ai_edge_litert.schema_py_generated`` has it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from models.language.graph import Graph, Operator, Tensor
from models.language.weight import Weight

__all__ = ["write_tflite"]

_ALIGNMENT_BYTES = 16
_OFFSET = 6  # where a record says at which byte of it stands its second field, a buffer's offset
_LATER = 2**32  # what stands there until it is known; a default would be left out
_LITTLE = 127  # operators numbered higher stand in the second field only
_IDENTIFIER = b"TFL3"
# Which version of an operator takes INT8 weights with a scale for each row; all others are in their first.
_VERSIONS = {schema.BuiltinOperator.FULLY_CONNECTED: 5}


def write_tflite(graphs: Sequence[Graph], path: Path) -> None:
    """Write graphs as the signatures of one model, weights behind the tables: who reads these reads none of them."""
    writer = _Writer()
    tables = writer.write(graphs)
    with path.open("wb") as file:
        file.write(tables)
        for data, offset in writer.outside:
            file.write(bytes(offset - file.tell()))
            file.write(np.ascontiguousarray(data).reshape(-1).view(np.uint8))


class _Writer:
    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1 << 22)
        self._buffers = [self._table(schema.BufferStart, schema.BufferEnd)]
        self._large: dict[int, npt.NDArray[Any]] = {}
        self.outside: list[tuple[npt.NDArray[Any], int]] = []  # what stands behind the tables, and where
        self._codes: dict[int, int] = {}
        self._known: dict[Any, int] = {}

    def write(self, graphs: Sequence[Graph]) -> bytearray:
        """Give the tables; `outside` is what belongs behind them."""
        b = self._builder
        subgraphs = [self._subgraph(graph) for graph in graphs]
        signatures = [self._signature(graph, index) for index, graph in enumerate(graphs)]
        codes = [self._code(code) for code in self._codes]
        parts = (
            (schema.ModelAddOperatorCodes, self._offsets(codes)),
            (schema.ModelAddSubgraphs, self._offsets(subgraphs)),
            (schema.ModelAddDescription, b.CreateString("edge-sdk")),
            (schema.ModelAddBuffers, self._offsets(self._buffers)),
            (schema.ModelAddSignatureDefs, self._offsets(signatures)),
            (schema.ModelAddVersion, 3),
        )
        b.Finish(self._table(schema.ModelStart, schema.ModelEnd, *parts), _IDENTIFIER)
        tables = bytearray(memoryview(b.Bytes)[b.Head() :])
        self._place(tables)
        return tables

    def _place(self, tables: bytearray) -> None:
        """Say where the weights stand, now that it is known how long the tables are."""
        model, end = schema.Model.GetRootAs(tables, 0), len(tables)
        for number, data in self._large.items():
            record = model.Buffers(number)._tab
            end += -end % _ALIGNMENT_BYTES
            struct.pack_into("<Q", tables, record.Pos + record.Offset(_OFFSET), end)
            self.outside.append((data, end))
            end += data.nbytes

    def _subgraph(self, graph: Graph) -> int:
        tensors = [self._tensor(tensor) for tensor in graph.tensors]
        operators = [self._operator(operator) for operator in graph.operators]
        return self._table(
            schema.SubGraphStart,
            schema.SubGraphEnd,
            (schema.SubGraphAddTensors, self._offsets(tensors)),
            (schema.SubGraphAddInputs, self._numbers([v.index for v in graph.inputs.values()])),
            (schema.SubGraphAddOutputs, self._numbers([v.index for v in graph.outputs.values()])),
            (schema.SubGraphAddOperators, self._offsets(operators)),
            (schema.SubGraphAddName, self._string(graph.name)),
        )

    def _signature(self, graph: Graph, index: int) -> int:
        ends = [
            [
                self._table(
                    schema.TensorMapStart,
                    schema.TensorMapEnd,
                    (schema.TensorMapAddName, self._string(name)),
                    (schema.TensorMapAddTensorIndex, value.index),
                )
                for name, value in side.items()
            ]
            for side in (graph.inputs, graph.outputs)
        ]
        return self._table(
            schema.SignatureDefStart,
            schema.SignatureDefEnd,
            (schema.SignatureDefAddInputs, self._offsets(ends[0])),
            (schema.SignatureDefAddOutputs, self._offsets(ends[1])),
            (schema.SignatureDefAddSignatureKey, self._string(graph.name)),
            (schema.SignatureDefAddSubgraphIndex, index),
        )

    def _tensor(self, tensor: Tensor) -> int:
        parts = [
            (schema.TensorAddShape, self._numbers(tensor.shape)),
            (schema.TensorAddType, tensor.kind),
            (schema.TensorAddName, self._string(tensor.name)),
            (schema.TensorAddHasRank, True),
        ]
        if tensor.data is not None:
            parts.append((schema.TensorAddBuffer, self._buffer(tensor.data)))
        if tensor.weight is not None:
            quantization = self._blocks(tensor) if tensor.weight.block else self._rows(tensor.weight)
            parts.append((schema.TensorAddQuantization, quantization))
        return self._table(schema.TensorStart, schema.TensorEnd, *parts)

    def _operator(self, operator: Operator) -> int:
        parts = [
            (schema.OperatorAddOpcodeIndex, self._codes.setdefault(operator.code, len(self._codes))),
            (schema.OperatorAddInputs, self._numbers(operator.inputs)),
            (schema.OperatorAddOutputs, self._numbers(operator.outputs)),
        ]
        if operator.options is not None:
            name = type(operator.options).__name__.removesuffix("T")
            parts.append((schema.OperatorAddBuiltinOptionsType, getattr(schema.BuiltinOptions, name)))
            parts.append((schema.OperatorAddBuiltinOptions, operator.options.Pack(self._builder)))
        return self._table(schema.OperatorStart, schema.OperatorEnd, *parts)

    def _code(self, code: int) -> int:
        return self._table(
            schema.OperatorCodeStart,
            schema.OperatorCodeEnd,
            (schema.OperatorCodeAddDeprecatedBuiltinCode, min(code, _LITTLE)),
            (schema.OperatorCodeAddBuiltinCode, code),
            (schema.OperatorCodeAddVersion, _VERSIONS.get(code, 1)),
        )

    def _blocks(self, tensor: Tensor) -> int:
        """Say that a weight has a scale for each block, in a tensor of the same graph."""
        assert tensor.weight is not None
        assert tensor.scales is not None
        details = schema.BlockwiseQuantizationT()
        details.scales, details.zeroPoints, details.blockSize = tensor.scales.index, -1, tensor.weight.block
        return self._table(
            schema.QuantizationParametersStart,
            schema.QuantizationParametersEnd,
            (schema.QuantizationParametersAddDetailsType, schema.QuantizationDetails.BlockwiseQuantization),
            (schema.QuantizationParametersAddDetails, details.Pack(self._builder)),
        )

    def _rows(self, weight: Weight) -> int:
        """Say that a weight has a scale for each row."""

        def make() -> int:
            zeros = self._once(
                ("zeros", len(weight.scales)), lambda: self._vector(np.zeros(len(weight.scales), "<i8"), 8)
            )
            return self._table(
                schema.QuantizationParametersStart,
                schema.QuantizationParametersEnd,
                (schema.QuantizationParametersAddScale, self._vector(weight.scales.astype("<f4"), 4)),
                (schema.QuantizationParametersAddZeroPoint, zeros),
            )

        return self._once(("scales", id(weight)), make)

    def _buffer(self, data: npt.NDArray[Any]) -> int:
        """Return the number of the buffer with these bytes."""
        large = data.nbytes > 1 << 16

        def make() -> int:
            number = len(self._buffers)
            if large:
                self._large[number] = data
                part = ((schema.BufferAddOffset, _LATER), (schema.BufferAddSize, data.nbytes))
            else:
                part = ((schema.BufferAddData, self._vector(data.reshape(-1).view(np.uint8), _ALIGNMENT_BYTES)),)
            self._buffers.append(self._table(schema.BufferStart, schema.BufferEnd, *part))
            return number

        return self._once(("large", id(data)) if large else (data.tobytes(),), make)

    def _vector(self, array: npt.NDArray[Any], alignment_bytes: int) -> int:
        b = self._builder
        b.StartVector(array.itemsize, len(array), alignment_bytes)
        b.head = b.Head() - array.nbytes
        b.Bytes[b.Head() : b.Head() + array.nbytes] = array.tobytes()
        return int(b.EndVector())

    def _numbers(self, numbers: Iterable[int]) -> int:
        row = tuple(numbers)
        return self._once(("numbers", row), lambda: self._vector(np.array(row, "<i4"), 4))

    def _string(self, text: str) -> int:
        return self._once(("text", text), lambda: int(self._builder.CreateString(text)))

    def _offsets(self, offsets: Sequence[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def _once(self, key: Any, make: Callable[[], int]) -> int:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def _table(self, start: Callable[..., Any], end: Callable[..., int], *parts: tuple[Callable[..., Any], Any]) -> int:
        start(self._builder)
        for add, value in parts:
            add(self._builder, value)
        return int(end(self._builder))
