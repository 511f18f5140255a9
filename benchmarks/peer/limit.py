"""How many bytes a token takes at least, and how many this machine reads in a second: what decoding cannot pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peer.turn import Job

# Bits that a weight takes with its share of the scales: of LiteRT one scale for a row (none, as good as), or one of 16
# bits for 64 weights, and 8 bits for the 3 % of the layers' that make values; of llama.cpp one of 16 bits for 32; of
# the ONNX graph one of 32 bits for 64.
_BITS = {
    "ours": (8.0, 8.0),
    "ours_prepared": (8.0, 8.0),
    "ours_int4": (4.37, 8.0),
    "litert_lm": (8.0, 8.0),
    "litert_lm_256": (8.0, 8.0),
    "compiled_model": (8.0, 8.0),
    "interpreter": (8.0, 8.0),
    "llama_q8_0": (8.5, 8.5),
    "llama_q4_0": (4.5, 8.5),
    "onnx_runtime": (8.5, 8.5),
}
_CACHE_BYTES = {"llama_q8_0": 2, "llama_q4_0": 2}  # of a number; else 4, and in ours 2 but for the longest


def weight_bytes(config: Mapping[str, Any], side: str) -> int:
    """Return what a step reads of the weights: all matrices once, and of the embeddings, which are the head."""
    width, hidden, layers = (int(config[key]) for key in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    grouped = width * int(config["num_key_value_heads"]) // int(config["num_attention_heads"])
    of_layers = layers * width * (2 * width + 2 * grouped + 3 * hidden)
    bits, bits_of_head = _BITS[side]
    return round((of_layers * bits + int(config["vocab_size"]) * width * bits_of_head) / 8)


def cache_bytes(config: Mapping[str, Any], side: str, lengths: Sequence[int], prompt: int, answer: int) -> int:
    """Return what a step reads of the caches, on average over an answer; the whole cache in use is read every step.

    Parameters
    ----------
    lengths : sequence of int
        Of the caches that a bundle has. Ours begins in the shortest that holds what there is and moves up, the bare
        sides take one that holds all, LiteRT-LM always the longest; all else is given one that fits.
    """
    row = 2 * int(config["hidden_size"]) * int(config["num_key_value_heads"]) // int(config["num_attention_heads"])
    row *= int(config["num_hidden_layers"]) * _CACHE_BYTES.get(side, 4)
    needed = prompt + answer
    if side == "litert_lm":
        return row * max(lengths)
    if side in ("compiled_model", "interpreter"):
        return row * min(length for length in lengths if length >= needed)
    if not side.startswith("ours"):
        return row * needed
    steps = [min(length for length in lengths if length > place) for place in range(prompt - 1, needed - 1)]
    return round(row * sum(step if step == max(lengths) else step / 2 for step in steps) / len(steps))


def bandwidth(job: Job) -> dict[str, Any]:
    """Be a side that only reads memory: as much as a step of ours does, by as many threads."""
    from edge_sdk.bench.limit import read_bandwidth_bytes_per_s

    return {"read_bytes_per_s": read_bandwidth_bytes_per_s(job.threads, job.answer)}
