"""Read what a ``.tflite`` model says of itself, and check that it is whole before the engine sees it.

Only tables are walked, never weights: a model of 135 MB takes milliseconds and touches few of its pages.
The engine trusts indices, shapes and buffer sizes that this reader does not.

Source: the TensorFlow Lite schema (field numbers, type and operator codes), as in LiteRT 2.3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edge_sdk.bundle.flatbuffer import FlatReader, Table
from edge_sdk.bundle.operation import OPERATORS
from edge_sdk.bundle.record import Integers, Records
from edge_sdk.bundle.soundness import check_soundness
from edge_sdk.errors import BundleError

__all__ = ["SignatureInfo", "SubgraphInfo", "TensorInfo", "TfliteModel", "read_tflite"]

MAGIC = b"TFL3"  # the file identifier, four bytes behind the root offset
_RANK_MAX = 8
_ELEMENTS_MAX = 1 << 40
# By type code: numpy's name of it, bits of one element; 0 bits where the size is not fixed.
TYPES = (
    ("float32", 32),
    ("float16", 16),
    ("int32", 32),
    ("uint8", 8),
    ("int64", 64),
    ("string", 0),
    ("bool", 8),
    ("int16", 16),
    ("complex64", 64),
    ("int8", 8),
    ("float64", 64),
    ("complex128", 128),
    ("uint64", 64),
    ("resource", 0),
    ("variant", 0),
    ("uint32", 32),
    ("uint16", 16),
    ("int4", 4),
    ("bfloat16", 16),
    ("int2", 2),
    ("uint4", 4),
    ("float8_e4m3fn", 8),
    ("float8_e5m2", 8),
)


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
        model = _Walk(reader).model()
        check_soundness(reader)
    return model


class _Walk:
    """One pass over a model: the many records in columns, the few one by one."""

    def __init__(self, reader: FlatReader) -> None:
        self._reader = reader
        self._root = reader.root()
        self._buffer_at, self._buffer_bytes = self._buffers()
        self._operators = [self._operator(code) for code in self._root.tables(1)]
        self._graphs = list(self._root.tables(2))
        self._places: list[Integers] = []
        # A graph's ends are a signature's, too: reading them once saves a quarter of the time.
        self._infos: dict[tuple[int, int], TensorInfo] = {}

    def model(self) -> TfliteModel:
        version = self._root.integer(0, "u32")
        if version != 3:
            raise self._reader.damaged(f"It says it is version {version} of the TFLite schema; 3 is known.")
        if not self._graphs:
            raise self._reader.damaged("It holds no graph.")
        tensors, counts = Records.of(self._reader, self._graphs, 0)
        self._places = np.split(tensors.places, np.cumsum(counts)[:-1])
        weights, activations = self._tensors(tensors, np.repeat(np.arange(len(counts)), counts))
        operators = self._check_operators(counts)
        subgraphs = tuple(
            SubgraphInfo(
                name=graph.text(4),
                inputs=self._ends(graph, 1, place),
                outputs=self._ends(graph, 2, place),
                operators=MappingProxyType(operators[place]),
                weights=MappingProxyType(weights[place]),
                activations=MappingProxyType(activations[place]),
            )
            for place, graph in enumerate(self._graphs)
        )
        signatures = {item.name: item for item in map(self._signature, self._root.tables(7))}
        if "" in signatures or len(signatures) != self._root.count(7):
            raise self._reader.damaged("Its signatures do not have names of their own.")
        return TfliteModel(
            description=self._root.text(3),
            subgraphs=subgraphs,
            signatures=MappingProxyType(signatures),
            metadata=MappingProxyType(dict(self._metadata(item) for item in self._root.tables(6))),
        )

    def _buffers(self) -> tuple[Integers, Integers]:
        """Return where the bytes of each buffer begin and how many they are."""
        records, _ = Records.of(self._reader, [self._root], 4)
        inside = records.targets(0)
        inside_bytes = records.counts(inside, 1)
        # Models above 2 GB keep their weights behind the tables; 1 is written as "none".
        start, size = records.integers(1, "u64"), records.integers(2, "u64")
        outside = (start > 1) | (start < 0)
        wrong = outside & ((start < 0) | (size < 0) | (start > self._reader.size - size))
        if wrong.any():
            raise self._reader.damaged(f"The weights of buffer {int(wrong.argmax())} lie outside the data.")
        return np.where(outside, start, inside + 4), np.where(outside, size, inside_bytes)

    def _operator(self, table: Table) -> str:
        # Codes above 127 came later, in a field of their own; the larger of the two counts.
        code = max(table.integer(0, "i8"), table.integer(3))
        if not 0 <= code < len(OPERATORS):
            raise self._reader.damaged(f"It uses operator {code}; {len(OPERATORS) - 1} is the last one known.")
        return table.text(1) if OPERATORS[code] == "CUSTOM" else OPERATORS[code]

    def _tensors(self, records: Records, graph: Integers) -> tuple[list[Counter[str]], list[Counter[str]]]:
        """Check all tensors; return how many of each type are weights and activations, graph by graph."""
        codes = records.integers(1, "i8")
        if len(codes) and not 0 <= codes.min() <= codes.max() < len(TYPES):
            raise self._reader.damaged("A tensor is of a type that is not known.")
        buffers, externals = records.integers(2, "u32"), records.integers(10, "u32")
        known = max(len(self._buffer_bytes), 1)
        if buffers.max(initial=0) >= known:
            raise self._reader.damaged(f"A tensor wants buffer {int(buffers.max())} of {known}.")
        # Weights in a file of their own go by a number that the model gives them; 0 is none.
        outside, _ = Records.of(self._reader, [self._root], 9)
        if not np.isin(externals, [0, *outside.integers(0, "u32")]).all():
            raise self._reader.damaged("A tensor wants an external buffer that is not listed.")
        found_bytes = self._buffer_bytes[buffers] if len(self._buffer_bytes) else np.zeros_like(buffers)
        bits = np.array([bits for _, bits in TYPES])[codes]
        needed_bytes = np.ceil(self._elements(records) * bits / 8)
        # A sparse tensor (field 6) may hold less than its shape asks for.
        short = (found_bytes > 0) & (found_bytes < needed_bytes) & (records.targets(6) == 0)
        if short.any():
            worst = int(short.argmax())
            raise self._reader.damaged(
                f"A tensor needs {needed_bytes[worst]:.0f} bytes; its buffer has {found_bytes[worst]}."
            )
        constant = (found_bytes > 0) | (externals > 0)
        kinds = 2 * codes + self._quantized(records)
        names = [prefix + name for name, _ in TYPES for prefix in ("", "q")]
        weights = _tally(graph[constant], kinds[constant], names, len(self._graphs))
        return weights, _tally(graph[~constant], kinds[~constant], names, len(self._graphs))

    def _elements(self, records: Records) -> NDArray[np.float64]:
        """Return how many elements each tensor has, as its shape says."""
        shapes = records.targets(0)
        ranks = records.counts(shapes, 4)
        elements = np.ones(len(ranks))
        for axis in range(int(ranks.max(initial=0))):
            if axis >= _RANK_MAX:
                raise self._reader.damaged(f"A tensor has {int(ranks.max())} axes; {_RANK_MAX} are the most.")
            there = ranks > axis
            sides = records.number(shapes[there], axis)
            elements[there] *= sides
            if len(sides) and sides.min() < 0:
                raise self._reader.damaged(f"A tensor has the side {int(sides.min())}.")
        if elements.max(initial=0) > _ELEMENTS_MAX:
            raise self._reader.damaged(f"A tensor has {elements.max():.0f} elements.")
        return elements

    def _quantized(self, records: Records) -> NDArray[np.bool_]:
        """Say of each tensor whether it has quantization parameters."""
        at = records.targets(4)
        parameters = Records(self._reader, at[at > 0])
        scales = parameters.counts(parameters.targets(2), 4)
        found = np.zeros(len(at), np.bool_)
        found[at > 0] = (scales > 0) | (parameters.integers(4, "u8") > 0)
        return found

    def _check_operators(self, tensors: Integers) -> list[Counter[str]]:
        """Check what all operators work on; return how often each occurs, graph by graph."""
        records, counts = Records.of(self._reader, self._graphs, 3)
        graph = np.repeat(np.arange(len(counts)), counts)
        codes = records.integers(0, "u32")
        if codes.max(initial=-1) >= len(self._operators):
            raise self._reader.damaged(f"It uses operator {int(codes.max())} of {len(self._operators)}.")
        for number in (1, 2, 8):  # inputs, outputs, intermediates; -1 stands for one that is left out
            lists = records.targets(number)
            sizes = records.counts(lists, 4)
            operands = records.numbers(lists, sizes)
            wrong = (operands < -1) | (operands >= np.repeat(tensors[graph], sizes))
            if wrong.any():
                raise self._reader.damaged(f"An operator uses tensor {int(operands[wrong.argmax()])}.")
        return _tally(graph, codes, self._operators, len(self._graphs))

    def _ends(self, graph: Table, field: int, place: int) -> tuple[TensorInfo, ...]:
        return tuple(self._info(place, index) for index in graph.integers(field, len(self._places[place])))

    def _info(self, graph: int, index: int) -> TensorInfo:
        if (graph, index) not in self._infos:
            self._infos[graph, index] = self._read_info(graph, index)
        return self._infos[graph, index]

    def _read_info(self, graph: int, index: int) -> TensorInfo:
        places = self._places[graph]
        if not 0 <= index < len(places):
            raise self._reader.damaged(f"An input or output is tensor {index} of {len(places)}.")
        table = self._reader.table(int(places[index]))
        shape = table.integers(7, _RANK_MAX) or table.integers(0, _RANK_MAX)
        scale = zero_point = None
        quantization = table.table(4)
        if quantization and quantization.count(2) == 1:
            scale = float(quantization.first(2, "f32"))
            zero_point = int(quantization.first(3, "i64"))
        return TensorInfo(table.text(3), shape, TYPES[table.integer(1, "i8")][0], scale, zero_point)

    def _signature(self, table: Table) -> SignatureInfo:
        graph = table.integer(4, "u32")
        if graph >= len(self._graphs):
            raise self._reader.damaged(f"A signature calls graph {graph} of {len(self._graphs)}.")
        ends: list[Mapping[str, TensorInfo]] = []
        for side in (0, 1):
            items = [(item.text(0), item.integer(1, "u32")) for item in table.tables(side)]
            named, there = dict(items), self._graphs[graph].integers(1 + side, len(self._places[graph]))
            if "" in named or len(named) != len(items) or sorted(named.values()) != sorted(there):
                raise self._reader.damaged(f"Its signature {table.text(2)!r} does not name the ends of its graph.")
            ends.append(MappingProxyType({name: self._info(graph, index) for name, index in items}))
        return SignatureInfo(table.text(2), graph, *ends)

    def _metadata(self, table: Table) -> tuple[str, memoryview]:
        index = table.integer(1, "u32")
        if index >= len(self._buffer_bytes):
            raise self._reader.damaged(f"Its metadata lie in buffer {index} of {len(self._buffer_bytes)}.")
        start, size = int(self._buffer_at[index]), int(self._buffer_bytes[index])
        return table.text(0), self._reader.view[start : start + size]


def _tally(graph: Integers, kinds: Integers, names: Sequence[str], graphs: int) -> list[Counter[str]]:
    """Return how often each kind occurs in each graph, by name."""
    found = [Counter[str]() for _ in range(graphs)]
    # Sorted, rather than one number for each pair that might be: made-up files have 10^10 of those.
    pairs = np.sort(graph * len(names) + kinds)
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    for pair, count in zip(pairs[first].tolist(), np.diff(first, append=len(pairs)).tolist(), strict=True):
        place, kind = divmod(pair, len(names))
        found[place][names[kind]] += count
    return found
