"""What a bundle holds, in the words of who chooses one: quantization, tokens per frame, cache lengths."""

from __future__ import annotations

from collections import Counter

from edge_sdk.bundle.bundle import Bundle
from edge_sdk.bundle.tflite import SignatureInfo, TfliteModel

__all__ = ["cache_lengths", "operators", "quantization", "tokens_per_frame"]

_DECODER = "tf_lite_prefill_decode"
_NARROW = ("int8", "uint8", "int4", "uint4", "int2")
_FLOATS = ("float32", "float16", "bfloat16")


def quantization(model: TfliteModel) -> str:
    """Say how a model is quantized, and how many of its tensors have 8 bits or fewer an element.

    Static means that what is computed is quantized too, dynamic that only weights are.

    Examples
    --------
    A MobileNet of 89 tensors gives ``int8 static (60 of 89 tensors)``, a language model with INT8 weights
    ``int8 dynamic (43 of 486 tensors)``, and one that is not quantized ``float32``.
    """
    weights, activations = _tensors(model, "weights"), _tensors(model, "activations")
    narrow = Counter({kind: weights[f"q{kind}"] + activations[f"q{kind}"] for kind in _NARROW})
    kind, count = narrow.most_common(1)[0]
    if not count:
        return max(_FLOATS, key=lambda kind: weights[kind])
    computed = sum(activations[f"q{kind}"] for kind in (*_NARROW, "int16"))
    static = computed > sum(activations[kind] for kind in _FLOATS)
    wide = static and activations["qint16"] > computed / 2
    total = sum(weights.values()) + sum(activations.values())
    plain = sum(weights[kind] + activations[kind] for kind in _NARROW)
    return (
        f"{kind} {'static' if static else 'dynamic'}"
        f"{' with int16 activations' if wide else ''} ({sum(narrow.values()) + plain} of {total} tensors)"
    )


def operators(model: TfliteModel) -> Counter[str]:
    """Return how often each operator occurs in all graphs of a model."""
    found: Counter[str] = Counter()
    for graph in model.subgraphs:
        found.update(graph.operators)
    return found


def tokens_per_frame(bundle: Bundle) -> int | None:
    """Return how many places in the prompt a picture takes, ``None`` where the bundle sees no pictures."""
    for name in ("tf_lite_vision_adapter", "tf_lite_vision_encoder"):
        if bundle.has(name):
            for signature in bundle.model(name).signatures.values():
                shapes = [tensor.shape for tensor in signature.outputs.values() if len(tensor.shape) == 3]
                if shapes:
                    return shapes[0][1]
    return None


def cache_lengths(bundle: Bundle) -> tuple[int, ...]:
    """Return the lengths of the caches that the language model can be run with, the shortest first."""
    if not bundle.has(_DECODER):
        return ()
    signatures = bundle.model(_DECODER).signatures.values()
    lengths: dict[frozenset[tuple[str, tuple[int, ...]]], int] = {}
    for item in signatures:  # of those that share their caches the one that sees most tells how long these are
        shared = frozenset((name, tensor.shape) for name, tensor in item.inputs.items() if name in item.outputs)
        lengths[shared] = max(_cache_length(bundle, item), lengths.get(shared, 0))
    return tuple(sorted(set(lengths.values()) - {0}))


def _cache_length(bundle: Bundle, signature: SignatureInfo) -> int:
    for buffer in bundle.executor.buffers if bundle.executor else ():
        tensor = signature.inputs.get(buffer.decode_input) or signature.inputs.get(buffer.prefill_input)
        axis = buffer.sequence_axis
        if tensor and axis is not None and 0 <= axis < len(tensor.shape):
            return tensor.shape[axis]
    # Without metadata the mask tells: its last axis runs over the cache.
    mask = next((tensor for name, tensor in signature.inputs.items() if "mask" in name and tensor.shape), None)
    return mask.shape[-1] if mask else 0


def _tensors(model: TfliteModel, side: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for graph in model.subgraphs:
        found.update(getattr(graph, side))
    return found
