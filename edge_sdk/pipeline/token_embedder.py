"""Token embeddings from a section of their own, for decoders that take embeddings instead of tokens."""

from __future__ import annotations

from edge_sdk.errors import ModelError
from edge_sdk.runtime import Array, Model

__all__ = ["TokenEmbedder"]

# Of rows that are kept: those of a template's words come with every question, and a run of the engine for each took a
# twentieth of the time to the first word.
_KEPT_BYTES = 256 << 10


class TokenEmbedder:
    """An embedder section: one token in, its row out.

    Parameters
    ----------
    model : Model
        The section's model; its signature takes one token number.
    """

    def __init__(self, model: Model) -> None:
        signature = next(iter(model.signatures.values()))
        if len(signature.inputs) != 1 or len(signature.outputs) != 1:
            raise ModelError(f"{model.name} does not look like an embedder: it takes {', '.join(signature.inputs)}.")
        self._run = model.bind(signature.name)
        self._token = next(iter(self._run.inputs.values())).reshape(-1)
        self._row = next(iter(self._run.outputs.values())).reshape(-1)
        self._kept: dict[int, Array] = {}
        self._most = _KEPT_BYTES // self._row.nbytes

    def look_up(self, token: int, row: Array) -> None:
        """Write a token's embedding into a row: ``(E,)`` or any shape of as many elements."""
        found = self._kept.get(token)
        if found is None:
            self._token[:] = token
            self._run()
            found = self._row
            if len(self._kept) < self._most:
                self._kept[token] = found.copy()
        row.reshape(-1)[:] = found
