"""How much work there is, by a bundle's headers: bytes that a token reads, multiplications of a token and a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge_sdk.bundle import Bundle
from edge_sdk.bundle.dataflow import Dataflow, read_dataflow
from edge_sdk.memory import DECODER
from edge_sdk.memory.outline import outline_of
from edge_sdk.memory.workload import workload

__all__ = ["Work", "graph_macs", "work_of"]

_POSITIONS = ("input_pos", "positions")


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to be done.

    Attributes
    ----------
    decode_bytes : mapping
        By length of the cache: the weights and the whole cache, which every step reads.
    prefill_macs : float or None
        Multiplications by weights that a token of the prompt takes; None without a language model.
    encode_macs : int or None
        Those of a frame in the vision encoder; None where there is none.
    run_macs : mapping
        Those of each signature of a plain ``.tflite`` model.
    """

    decode_bytes: Mapping[int, int]
    prefill_macs: float | None
    encode_macs: int | None
    run_macs: Mapping[str, int]


def work_of(bundle: Bundle) -> Work:
    """Read it from the headers of an open bundle.

    Raises
    ------
    BundleError
        It is damaged, or has no model that this SDK runs.
    """
    outline = outline_of(bundle, "")
    encoder = next(iter(outline.sight), None)
    plain = bundle.version is None
    return Work(
        _decode_bytes(bundle) if outline.language else {},
        _prefill_macs(bundle) if outline.language else None,
        sum(_signature_macs(bundle, encoder).values()) if encoder and not plain else None,
        _signature_macs(bundle, encoder) if encoder and plain else {},
    )


def _decode_bytes(bundle: Bundle) -> dict[int, int]:
    found: dict[int, int] = {}
    for graph in workload(bundle, DECODER):
        if "decode" in graph.signature and graph.cache_length:
            size = sum(graph.weights.values()) + graph.cache_bytes
            found[graph.cache_length] = min(size, found.get(graph.cache_length, size))
    return dict(sorted(found.items()))


def _prefill_macs(bundle: Bundle) -> float | None:
    """Give those of the longest chunk, whose share of the rest is the least."""
    macs, signatures = _signature_macs(bundle, DECODER), bundle.model(DECODER).signatures
    found = {}
    for name, count in macs.items():
        length = next((info.shape[-1] for key, info in signatures[name].inputs.items() if key in _POSITIONS), 0)
        if "prefill" in name and length:
            found[length] = count / length
    return found[max(found)] if found else None


def _signature_macs(bundle: Bundle, section: str) -> dict[str, int]:
    place, model = bundle.section(section), bundle.model(section)
    flows = read_dataflow(bundle.view(place), bundle.label(place))
    called = {item.name: item.subgraph for item in model.signatures.values()} or {"default": 0}
    return {name: graph_macs(flows[index]) for name, index in called.items()}


def graph_macs(flow: Dataflow) -> int:
    """Count the multiplications of convolutions and fully connected layers; attention's among activations are left out.

    Parameters
    ----------
    flow : Dataflow
        One graph of a model.
    """
    total = 0
    results = dict(reversed(flow.results.tolist()))  # the first result of each
    reads: dict[int, list[int]] = {}
    for operator, tensor in flow.uses.tolist():
        reads.setdefault(operator, []).append(tensor)
    for index, name in enumerate(flow.operators):
        operands = reads.get(index, [])
        if len(operands) < 2 or index not in results:
            continue
        weights = flow.shapes[operands[1]]
        written = int(np.prod(flow.shapes[results[index]]))
        if name == "FULLY_CONNECTED":
            total += written * int(weights[1])
        elif name == "CONV_2D":
            total += written * int(np.prod(weights[1:4]))
        elif name == "DEPTHWISE_CONV_2D":
            total += written * int(np.prod(weights[1:3]))
        elif name == "TRANSPOSE_CONV" and len(operands) > 2:
            total += int(np.prod(flow.shapes[operands[2]])) * int(np.prod(weights[:3]))
    return total
