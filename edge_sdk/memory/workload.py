"""What a model's header says about the memory that running it takes, graph by graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from weakref import WeakKeyDictionary

import numpy as np

from edge_sdk.bundle import Bundle
from edge_sdk.bundle.dataflow import Dataflow, read_dataflow
from edge_sdk.bundle.tflite import SignatureInfo, TensorInfo, TfliteModel

__all__ = ["GraphLoad", "workload"]

# Operators whose weights XNNPACK rearranges for the processor; a table that is only looked up in stays in the file.
_PACKED = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "BATCH_MATMUL")
_MASKS = ("mask", "attn_mask")
_LAST_ROW = "last_row"  # the input of a prompt's run that scores what follows
_POINTER_BYTES = 8
# Of a picture that is enlarged, four pointers and two weights of four bytes for each new pixel.
_RESIZE_BYTES = 4 * _POINTER_BYTES + 2 * 4


@dataclass(frozen=True, slots=True)
class GraphLoad:
    """What one graph needs to run.

    Attributes
    ----------
    signature : str
        The signature that calls it; empty for a graph that only other graphs call.
    operators : int
        How many operators it has.
    inner_bytes : int
        The most that tensors between its ends take at one time, and what operators keep for themselves.
    prepared_early : bool
        An operator in it is not TFLite's own, so it is prepared when the section is opened, to fail then.
    weights : mapping
        The sizes of the weights that are packed, by number of the buffer; the graphs of a model share buffers.
    table_bytes : int
        Constants that are read where they lie in the file.
    ends_bytes : int
        Inputs and outputs that are no caches.
    caches : tuple of pairs
        The names that each key-value cache has as an input and as an output.
    cache_bytes : int
        What they take, each counted once.
    cache_length : int or None
        How many tokens they hold; None for a graph without caches.
    idle : bool
        A run for prompts that is never made: another of the same size over the same caches gives scores besides.
    """

    signature: str
    operators: int
    inner_bytes: int
    prepared_early: bool
    weights: Mapping[int, int]
    table_bytes: int
    ends_bytes: int
    caches: tuple[tuple[str, str], ...]
    cache_bytes: int
    cache_length: int | None
    idle: bool


_known: WeakKeyDictionary[Bundle, dict[str, tuple[GraphLoad, ...]]] = WeakKeyDictionary()


def workload(bundle: Bundle, section: str) -> tuple[GraphLoad, ...]:
    """Read what the graphs of a section need; once for an open bundle.

    Parameters
    ----------
    bundle : Bundle
        An open bundle.
    section : str
        The name of a model section.

    Raises
    ------
    BundleError
        There is no such section, or it is damaged.
    """
    known = _known.setdefault(bundle, {})
    if section not in known:
        place, model = bundle.section(section), bundle.model(section)
        flows = read_dataflow(bundle.view(place), bundle.label(place))
        calls = _calls(model)
        caches, idle = _executor_caches(bundle), _idle(calls.values())
        lengths = _lengths(calls.values(), caches)
        known[section] = tuple(
            _graph(flow, calls.get(index), lengths, caches, idle) for index, flow in enumerate(flows)
        )
    return known[section]


def _calls(model: TfliteModel) -> Mapping[int, SignatureInfo]:
    """Return the signature of each graph that has one; a file without any is called by its first graph."""
    if model.signatures:
        return {item.subgraph: item for item in model.signatures.values()}
    graph = model.subgraphs[0]
    inputs, outputs = ({str(at): item for at, item in enumerate(end)} for end in (graph.inputs, graph.outputs))
    return {0: SignatureInfo("default", 0, inputs, {f"out {name}": item for name, item in outputs.items()})}


def _executor_caches(bundle: Bundle) -> set[tuple[str, str]]:
    """Return the inputs and outputs that a bundle says are two ends of one cache."""
    buffers = bundle.executor.buffers if bundle.executor else ()
    ends = ((item.prefill_input, item.prefill_output, item.decode_input, item.decode_output) for item in buffers)
    return {pair for a, b, c, d in ends for pair in ((a, b), (c, d))}


def _idle(signatures: Iterable[SignatureInfo]) -> set[str]:
    """Name the runs for prompts in whose place others are made, as `read_stages` of the pipeline chooses them."""
    prompts = [item for item in signatures if "prefill" in item.name]
    scored = {_mask(item) for item in prompts if _LAST_ROW in item.inputs}
    return {item.name for item in prompts if _LAST_ROW not in item.inputs and _mask(item) in scored}


def _mask(signature: SignatureInfo) -> tuple[int, ...]:
    """Return the shape of a signature's mask: how many tokens, of how many in the cache; empty without one."""
    return next((signature.inputs[name].shape for name in _MASKS if name in signature.inputs), ())


def _pairs(signature: SignatureInfo, caches: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the ends of the caches that a signature works on: those of one name, and those the bundle tells of."""
    inputs, outputs = signature.inputs, signature.outputs
    told = {(before, after) for before, after in caches if before in inputs and after in outputs}
    return {(name, name) for name in inputs if name in outputs} | told


def _lengths(signatures: Iterable[SignatureInfo], caches: set[tuple[str, str]]) -> Mapping[str, int]:
    """Return how long the caches of signatures are: of those that share theirs the one that sees most tells."""
    found: dict[tuple[tuple[tuple[int, ...], str], ...], dict[str, int]] = {}
    for item in signatures:
        mask, pairs = _mask(item), _pairs(item, caches)
        if mask and pairs:
            kind = tuple(sorted((item.inputs[before].shape, item.inputs[before].dtype) for before, _ in pairs))
            found.setdefault(kind, {})[item.name] = mask[-1]
    return {name: max(seen.values()) for seen in found.values() for name in seen}


def _graph(
    flow: Dataflow,
    signature: SignatureInfo | None,
    lengths: Mapping[str, int],
    caches: set[tuple[str, str]],
    idle: set[str],
) -> GraphLoad:
    inputs = dict(signature.inputs) if signature else {}
    outputs = dict(signature.outputs) if signature else {}
    pairs = _pairs(signature, caches) if signature else set()
    shared = {before for before, _ in pairs}, {after for _, after in pairs}
    ends = [
        item
        for end, both in zip((inputs, outputs), shared, strict=True)
        for name, item in end.items()
        if name not in both
    ]
    weights, table_bytes = _constants(flow)
    return GraphLoad(
        signature=signature.name if signature else "",
        operators=len(flow.operators),
        inner_bytes=_inner_bytes(flow) + _pointer_bytes(flow) + _custom_bytes(flow),
        prepared_early="CUSTOM" in flow.operators,
        weights=weights,
        table_bytes=table_bytes,
        ends_bytes=sum(map(_size_bytes, ends)),
        caches=tuple(sorted(pairs)),
        cache_bytes=sum(_size_bytes(inputs[before]) for before, _ in pairs),
        cache_length=lengths.get(signature.name) if signature else None,
        idle=signature is not None and signature.name in idle,
    )


def _size_bytes(tensor: TensorInfo) -> int:
    try:
        item_bytes = np.dtype(tensor.dtype).itemsize
    except TypeError:  # text and other kinds that no engine here takes
        return 0
    return prod(max(side, 1) for side in tensor.shape) * item_bytes


def _constants(flow: Dataflow) -> tuple[Mapping[int, int], int]:
    """Return the weights that are packed, by buffer, and how much the other constants take."""
    packing = np.isin(flow.operators, _PACKED)
    constant = flow.buffers[flow.uses[:, 1]] >= 0
    uses = flow.uses[constant]
    packed = np.unique(uses[packing[uses[:, 0]], 1])
    weights = dict(zip(flow.buffers[packed].tolist(), flow.tensor_bytes[packed].tolist(), strict=True))
    others = np.setdiff1d(uses[:, 1], packed)
    # What no operator reads by itself are the scales of weights that are quantized in blocks: packed with them.
    scales = np.setdiff1d(np.flatnonzero(flow.buffers >= 0), flow.uses[:, 1])
    weights |= dict(zip(flow.buffers[scales].tolist(), flow.tensor_bytes[scales].tolist(), strict=True))
    return MappingProxyType(weights), int(flow.tensor_bytes[others].sum())


def _inner_bytes(flow: Dataflow) -> int:
    """Return the most bytes of computed tensors, the graph's ends left out, that are needed at one time."""
    count = len(flow.operators)
    first, last = np.full(len(flow.tensor_bytes), count), np.full(len(flow.tensor_bytes), -1)
    np.minimum.at(first, flow.results[:, 1], flow.results[:, 0])
    np.maximum.at(last, flow.results[:, 1], flow.results[:, 0])
    np.maximum.at(last, flow.uses[:, 1], flow.uses[:, 0])
    sizes = np.where((first <= last) & (flow.buffers < 0), flow.tensor_bytes, 0)
    sizes[flow.inputs] = sizes[flow.outputs] = 0
    change = np.zeros(count + 1, np.int64)
    there = sizes > 0
    np.add.at(change, first[there], sizes[there])
    np.add.at(change, last[there] + 1, -sizes[there])
    return int(np.cumsum(change).max(initial=0))


def _pointer_bytes(flow: Dataflow) -> int:
    """Return what XNNPACK's tables of pointers into pictures take: for each place of a window where its pixel is.

    Source: xnn_setup_convolution2d_nhwc and its like in github.com/google/XNNPACK, src/operators.
    """
    total = 0
    names = np.array(flow.operators)
    for name in ("CONV_2D", "TRANSPOSE_CONV", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "RESIZE_BILINEAR"):
        chosen = np.flatnonzero(names == name)
        if not len(chosen):
            continue
        at = np.searchsorted(flow.results[:, 0], chosen)
        sides = flow.shapes[flow.results[at, 1]]
        rows, columns = sides[:, 1], sides[:, 2]
        (high, wide), (_, across) = flow.windows[chosen].T, flow.strides[chosen].T
        if name == "RESIZE_BILINEAR":
            total += int((rows * columns).sum()) * _RESIZE_BYTES
        elif name in ("CONV_2D", "TRANSPOSE_CONV"):
            # A window of one pixel that moves by one is a plain matrix product.
            moving = (high * wide > 1) | (flow.strides[chosen].max(axis=1) > 1)
            total += int((rows * columns * high * wide)[moving].sum()) * _POINTER_BYTES
        else:  # neighbours share the columns that they have in common
            steps = high * wide + (columns - 1) * np.minimum(across, wide) * high
            total += int((rows * steps).sum()) * _POINTER_BYTES
    return total


def _custom_bytes(flow: Dataflow) -> int:
    """Return what operators that are not TFLite's own are taken to keep: thrice what they read."""
    custom = np.flatnonzero(np.array(flow.operators) == "CUSTOM")
    reads = flow.uses[np.isin(flow.uses[:, 0], custom), 1]
    return 3 * int(flow.tensor_bytes[reads].sum())
