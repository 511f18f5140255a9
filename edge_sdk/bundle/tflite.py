"""Read what a ``.tflite`` model says of itself, and check that it is whole before the engine sees it.

Only tables are walked, never weights: a model of 135 MB takes milliseconds and touches few of its pages.
The engine trusts indices, shapes and buffer sizes that this reader does not.

Source: the TensorFlow Lite schema (field numbers, type and operator codes), as in LiteRT 2.3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType

from edge_sdk.bundle.flatbuffer import FlatReader, Table
from edge_sdk.bundle.operation import OPERATORS
from edge_sdk.errors import BundleError

__all__ = ["SignatureInfo", "SubgraphInfo", "TensorInfo", "TfliteModel", "read_tflite"]

MAGIC = b"TFL3"  # the file identifier, four bytes behind the root offset
_RANK_MAX = 8
_ELEMENTS_MAX = 1 << 40
# Type code -> (numpy's name of it, bits of one element); 0 bits where the size is not fixed.
_TYPES: Mapping[int, tuple[str, int]] = {
    0: ("float32", 32),
    1: ("float16", 16),
    2: ("int32", 32),
    3: ("uint8", 8),
    4: ("int64", 64),
    5: ("string", 0),
    6: ("bool", 8),
    7: ("int16", 16),
    8: ("complex64", 64),
    9: ("int8", 8),
    10: ("float64", 64),
    11: ("complex128", 128),
    12: ("uint64", 64),
    13: ("resource", 0),
    14: ("variant", 0),
    15: ("uint32", 32),
    16: ("uint16", 16),
    17: ("int4", 4),
    18: ("bfloat16", 16),
    19: ("int2", 2),
    20: ("uint4", 4),
    21: ("float8_e4m3fn", 8),
    22: ("float8_e5m2", 8),
}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of a model.

    ``scale`` and ``zero_point`` are those of a tensor quantized as a whole, ``None`` elsewhere; an element of
    ``-1`` in ``shape`` may be resized.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True, slots=True)
class SubgraphInfo:
    """One graph of a model: its ends, and what is inside in numbers.

    ``weights`` and ``activations`` count tensors by type: constants of the file, and what is computed. A
    type carries ``q`` in front where the tensor has quantization parameters (``qint8``).
    """

    name: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: Mapping[str, int]
    weights: Mapping[str, int]
    activations: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SignatureInfo:
    """A named way to call a model: input and output tensors by the names of the signature."""

    name: str
    subgraph: int
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


@dataclass(frozen=True, slots=True)
class TfliteModel:
    """What a model says of itself; ``metadata`` holds views of the file, valid as long as it is open."""

    description: str
    subgraphs: tuple[SubgraphInfo, ...]
    signatures: Mapping[str, SignatureInfo]
    metadata: Mapping[str, memoryview] = field(repr=False)


def read_tflite(view: memoryview, name: str) -> TfliteModel:
    """Walk all tables of a model and check them.

    Parameters
    ----------
    view : memoryview
        The model's bytes, ``(n,)`` uint8; of a file with something behind the model, the whole file.
    name : str
        What to call it in errors: the path, and the section where there is one.

    Raises
    ------
    BundleError
        The bytes are no TFLite model, or something in it points outside of it.
    """
    if len(view) < 16 or bytes(view[4:8]) != MAGIC:
        raise BundleError(
            f"{name} is no TFLite model.",
            why=f"It has {len(view)} bytes, the first {bytes(view[:8])!r}; bytes 4 to 8 must be {MAGIC!r}.",
            fix="Give a .tflite or .litertlm file; a download that was cut off must be fetched again.",
        )
    reader = FlatReader(view, name)
    with reader.guard():
        return _Walk(reader).model()


@dataclass(slots=True)
class _Tensor:
    """What later checks need to know of a tensor; its name is read only where someone asks."""

    table: Table
    shape: tuple[int, ...]
    dtype: str


class _Walk:
    """One pass over a model."""

    def __init__(self, reader: FlatReader) -> None:
        self._reader = reader
        self._root = reader.root()
        self._buffers = [self._buffer(buffer) for buffer in self._root.tables(4)]
        self._externals = self._root.count(9)
        self._operators = [self._operator(code) for code in self._root.tables(1)]

    def model(self) -> TfliteModel:
        version = self._root.integer(0, "u32")
        if version != 3:
            raise self._reader.damaged(f"It says it is version {version} of the TFLite schema; 3 is known.")
        walked = [self._subgraph(graph) for graph in self._root.tables(2)]
        if not walked:
            raise self._reader.damaged("It holds no graph.")
        signatures = [self._signature(item, [tensors for _, tensors in walked]) for item in self._root.tables(7)]
        return TfliteModel(
            description=self._root.text(3),
            subgraphs=tuple(graph for graph, _ in walked),
            signatures=MappingProxyType({item.name: item for item in signatures}),
            metadata=MappingProxyType(dict(self._metadata(item) for item in self._root.tables(6))),
        )

    def _buffer(self, table: Table) -> memoryview:
        """Return a buffer's bytes; models above 2 GB keep them behind the tables."""
        start, size = table.integer(1, "u64"), table.integer(2, "u64")
        if start <= 1:  # 1 is written as "none"
            return table.data(0)
        if start + size > self._reader.size:
            raise self._reader.damaged(
                f"Weights at byte {start} end {start + size - self._reader.size} bytes behind it."
            )
        return self._reader.view[start : start + size]

    def _operator(self, table: Table) -> str:
        # Codes above 127 came later, in a field of their own; the larger of the two counts.
        code = max(table.integer(0, "i8"), table.integer(3))
        if not 0 <= code < len(OPERATORS):
            raise self._reader.damaged(f"It uses operator {code}; {len(OPERATORS) - 1} is the last one known.")
        return table.text(1) if OPERATORS[code] == "CUSTOM" else OPERATORS[code]

    def _subgraph(self, table: Table) -> tuple[SubgraphInfo, list[_Tensor]]:
        weights: Counter[str] = Counter()
        activations: Counter[str] = Counter()
        tensors = []
        for item in table.tables(0):
            tensor, constant = self._tensor(item)
            kind = self._quantized(item) + tensor.dtype
            (weights if constant else activations)[kind] += 1
            tensors.append(tensor)
        operators = Counter(self._check_operator(item, len(tensors)) for item in table.tables(3))
        graph = SubgraphInfo(
            name=table.text(4),
            inputs=tuple(self._info(tensors, index) for index in table.integers(1, len(tensors))),
            outputs=tuple(self._info(tensors, index) for index in table.integers(2, len(tensors))),
            operators=MappingProxyType(operators),
            weights=MappingProxyType(weights),
            activations=MappingProxyType(activations),
        )
        return graph, tensors

    def _tensor(self, table: Table) -> tuple[_Tensor, bool]:
        """Return a tensor, and whether the file holds its values."""
        code = table.integer(1, "i8")
        if code not in _TYPES:
            raise self._reader.damaged(f"A tensor is of type {code}, which is not known.")
        dtype, bits = _TYPES[code]
        shape = table.integers(0, _RANK_MAX)
        elements = prod(shape)
        if min(shape, default=0) < 0 or elements > _ELEMENTS_MAX:
            raise self._reader.damaged(f"A tensor has the shape {list(shape)}.")
        external, index = table.integer(10, "u32"), table.integer(2, "u32")
        if index >= max(len(self._buffers), 1) or external > self._externals:
            raise self._reader.damaged(f"A tensor wants buffer {index} of {len(self._buffers)}.")
        found_bytes = len(self._buffers[index]) if self._buffers else 0
        needed_bytes = (elements * bits + 7) // 8
        if 0 < found_bytes < needed_bytes and not table.place(6):  # a sparse tensor may hold less
            raise self._reader.damaged(
                f"A tensor of {list(shape)} {dtype} needs {needed_bytes} bytes; its buffer has {found_bytes}."
            )
        return _Tensor(table, shape, dtype), bool(found_bytes or external)

    def _quantized(self, table: Table) -> str:
        quantization = table.table(4)
        return "q" if quantization and (quantization.count(2) or quantization.integer(4, "u8")) else ""

    def _check_operator(self, table: Table, tensors: int) -> str:
        index = table.integer(0, "u32")
        if index >= len(self._operators):
            raise self._reader.damaged(f"It uses operator entry {index} of {len(self._operators)}.")
        for number, floor in ((1, -1), (2, -1), (8, -1)):  # -1 stands for an operand that is left out
            operands = table.integers(number, tensors + 64)
            if operands and not (floor <= min(operands) and max(operands) < tensors):
                raise self._reader.damaged(f"An operator uses tensors {list(operands)[:8]} of {tensors}.")
        return self._operators[index]

    def _info(self, tensors: list[_Tensor], index: int) -> TensorInfo:
        if not 0 <= index < len(tensors):
            raise self._reader.damaged(f"An input or output is tensor {index} of {len(tensors)}.")
        tensor = tensors[index]
        signature = tensor.table.integers(7, _RANK_MAX)
        scale = zero_point = None
        quantization = tensor.table.table(4)
        if quantization and quantization.count(2) == 1:
            scale = float(quantization.first(2, "f32"))
            zero_point = int(quantization.first(3, "i64"))
        return TensorInfo(tensor.table.text(3), signature or tensor.shape, tensor.dtype, scale, zero_point)

    def _signature(self, table: Table, tensors: list[list[_Tensor]]) -> SignatureInfo:
        index = table.integer(4, "u32")
        if index >= len(tensors):
            raise self._reader.damaged(f"A signature calls graph {index} of {len(tensors)}.")
        ends = [
            {item.text(0): self._info(tensors[index], item.integer(1, "u32")) for item in table.tables(number)}
            for number in (0, 1)
        ]
        return SignatureInfo(table.text(2), index, MappingProxyType(ends[0]), MappingProxyType(ends[1]))

    def _metadata(self, table: Table) -> tuple[str, memoryview]:
        index = table.integer(1, "u32")
        if index >= len(self._buffers):
            raise self._reader.damaged(f"Its metadata lie in buffer {index} of {len(self._buffers)}.")
        return table.text(0), self._buffers[index]
