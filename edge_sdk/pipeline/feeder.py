"""What a decoder is fed: tokens, or their embeddings where a bundle has embedders, and those of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_sdk.bundle import Bundle
from edge_sdk.errors import ModelError
from edge_sdk.pipeline.item import Item
from edge_sdk.pipeline.kv_cache import EMBEDDINGS, TOKENS, tokens
from edge_sdk.pipeline.token_embedder import TokenEmbedder
from edge_sdk.runtime import Array, Model, Run, Signature

__all__ = ["Feeder", "embedder_sections"]

_PER_LAYER = "per_layer_embeddings"


class Feeder:
    """Writes tokens, or embeddings where there are embedders, into a run's inputs.

    Attributes
    ----------
    plain : bool
        Whether tokens go in as they are.
    """

    def __init__(self, name: str, embedder: Model | None = None, per_layer: Model | None = None) -> None:
        self._name = name
        self.plain = embedder is None
        self._embedder = TokenEmbedder(embedder) if embedder else None
        self._per_layer = TokenEmbedder(per_layer) if per_layer else None

    def rows(self, run: Run) -> Array:
        """Return where the items of a run go: ``(N,)`` tokens, or ``(N, E)`` embeddings."""
        if self._embedder is None:
            return next(run.inputs[name] for name in TOKENS if name in run.inputs).reshape(-1)
        inputs = run.inputs[EMBEDDINGS]
        return inputs.reshape(-1, inputs.shape[-1])

    def write(self, run: Run, rows: Array, chunk: Sequence[Item]) -> None:
        """Write a chunk that fits, each item a token or the embedding of one; the rest of the input is zero.

        ``rows`` are those of the run, which never change.
        """
        if self._embedder is None:
            if any(isinstance(item, np.ndarray) for item in chunk):
                raise ModelError(f"{self._name} takes tokens only, no frames.", fix="Ask without a frame.")
            rows[: len(chunk)] = chunk
            rows[len(chunk) :] = 0
            return
        rows[len(chunk) :] = 0
        for item, row in zip(chunk, rows, strict=False):
            if isinstance(item, np.ndarray):
                row[:] = item
            else:
                self._embedder.look_up(item, row)
        if self._per_layer is not None:
            layers = run.inputs[_PER_LAYER].reshape(tokens(run.signature), -1)
            for index, row in enumerate(layers):
                # What is no text counts as token 0 here, as in LiteRT-LM.
                item = chunk[index] if index < len(chunk) else 0
                self._per_layer.look_up(0 if isinstance(item, np.ndarray) else item, row)


def embedder_sections(name: str, decode: Signature, bundle: Bundle) -> tuple[str, ...]:
    """Name the sections that turn tokens into what a model takes."""
    found = []
    for tensor, section, what in (
        (EMBEDDINGS, "tf_lite_embedder", "embeddings"),
        (_PER_LAYER, "tf_lite_per_layer_embedder", "embeddings for each layer"),
    ):
        if tensor in decode.inputs:
            if not bundle.has(section):
                raise ModelError(f"{name} takes {what}, and the bundle has no embedder for them.")
            found.append(section)
    return tuple(found)
