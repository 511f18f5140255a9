"""The decode loop: prompts in chunks, then token by token, over caches that are updated in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle import Bundle
from edge_sdk.errors import Cancelled, ClosedError, ModelError, PromptTooLong
from edge_sdk.memory import DECODER, Acquire
from edge_sdk.pipeline.kv_cache import (
    MASKS,
    POSITIONS,
    CacheNames,
    Stage,
    move_rows,
    new_caches,
    read_stages,
    tokens,
)
from edge_sdk.pipeline.token_embedder import TokenEmbedder
from edge_sdk.runtime import Array, Model, Run, Signature

__all__ = ["Decoder"]

_TOKENS = ("tokens", "token_ids")
_EMBEDDINGS, _PER_LAYER = "embeddings", "per_layer_embeddings"
# What stands in a mask where a token must not look: far enough from the type's limit that sums do not overflow,
# and the same as in LiteRT-LM. Source: litert_compiled_model_executor_utils.cc, LiteRT-LM 0.18.
_HIDDEN = {"float32": -0.7 * float(np.finfo(np.float32).max), "float16": -45824.0}


class Decoder:
    """One conversation's place in a language model: its caches, and how full they are.

    Parameters
    ----------
    bundle : Bundle
        What the model came from, for what it says about caches.
    acquire : function
        Gives the model of a section for the length of a ``with`` block: that of ``tf_lite_prefill_decode``, and of
        what turns tokens into embeddings, where it takes those. Several decoders may share them; they may be closed
        between two runs, and come back for the next. See `Loader.acquire`.
    checkpoint : callable, optional
        Called between runs of the engine, while no model is in use; what it raises ends the work.
    longest : int, optional
        Use no cache that is longer.

    Attributes
    ----------
    name : str
        The model's, for messages.
    position : int
        Tokens in the caches.
    capacity : int
        The most that the longest cache holds.
    """

    def __init__(
        self,
        bundle: Bundle,
        acquire: Acquire,
        checkpoint: Callable[[], None] | None = None,
        longest: int | None = None,
    ) -> None:
        self._acquire = acquire
        with acquire(DECODER) as model:
            self.name = model.name
            stages, self._names = read_stages(model, bundle.executor)
        # The shortest is always there: a plan for less is one for another model.
        self._stages = [stage for stage in stages if longest is None or stage.length <= longest] or [stages[0]]
        self._sections = (DECODER, *_embedders(self.name, self._stages[-1].decode, bundle))
        self._checkpoint = checkpoint
        self._stage: Stage | None = None
        self._caches: list[Array] = []
        self._bound: _Bound | None = None
        self._running: Run | None = None
        self._cancelled = False
        self._closed = False
        self.position = 0
        most = bundle.metadata.max_num_tokens
        self.capacity = min(self._stages[-1].length, most) if most else self._stages[-1].length

    def __repr__(self) -> str:
        length = self._stage.length if self._stage else 0
        return f"<Decoder of {self.name}: {self.position} of {self.capacity} tokens, cache of {length}>"

    def feed(self, *parts: Sequence[int] | npt.NDArray[np.float32]) -> None:
        """Run a prompt, or the next piece of one, through the model; parts share a run where they fit.

        Parameters
        ----------
        parts : sequence of int, or ndarray
            Token numbers, or embeddings: ``(T, E) float32``.

        Raises
        ------
        PromptTooLong
            It does not fit into the longest cache.
        Cancelled
            `cancel` was called meanwhile; `position` says what was kept.
        """
        prompt: list[int | npt.NDArray[np.float32]] = [item for part in parts for item in part]
        self._prepare(len(prompt))
        done = 0
        while done < len(prompt):
            self._pause()
            with self._open(len(prompt) - done) as bound:
                run, room = bound.choose(len(prompt) - done, self.position)
                chunk = prompt[done : done + room]
                bound.feeder.write(run, chunk)
                bound.place(run, self.position, len(chunk))
                self._call(run)
            self.position += len(chunk)
            done += len(chunk)

    def step(self, token: int) -> npt.NDArray[np.float32]:
        """Run one token, and return the scores of what may follow it.

        Returns
        -------
        ndarray
            ``(V,)`` float32, a view of the engine's output that the next step overwrites.
        """
        self._prepare(1)
        self._pause()
        with self._open(1) as bound:
            bound.feeder.write(bound.decode, [token])
            bound.place_step(self.position)
            self._call(bound.decode)
            self.position += 1
            return bound.logits

    def reset(self) -> None:
        """Forget all tokens; the caches' memory is given back where they had grown."""
        self.position = 0
        if self._stage is not self._stages[0]:
            self._let_go()

    def cancel(self) -> None:
        """Stop what `feed` or `step` is doing in another thread; it raises `Cancelled`."""
        self._cancelled = True
        if run := self._running:
            run.cancel()

    def close(self) -> None:
        """Give back the caches' memory; twice is harmless."""
        self._closed = True
        self._let_go()

    def _prepare(self, count: int) -> None:
        """Check that there is room for more tokens."""
        if self._closed:
            raise ClosedError(f"This decoder of {self.name} was closed.")
        self._cancelled = False
        if self.position + count > self.capacity:
            raise PromptTooLong(
                f"{count} more tokens after {self.position} do not fit.",
                why=f"{self.name} holds {self.capacity}, the answer included.",
                fix="Ask something shorter, or start a new conversation.",
            )

    @contextmanager
    def _open(self, count: int) -> Iterator[_Bound]:
        """Have models and caches with room for more tokens: the shortest that hold them, what is in use moved along."""
        with ExitStack() as stack:
            model, *embedders = [stack.enter_context(self._acquire(name, self._unbind)) for name in self._sections]
            needed = self.position + count
            if self._stage is None or self._stage.length < needed:
                self._move(next(stage for stage in self._stages if stage.length >= needed))
            stage = self._stage
            assert stage is not None
            if self._bound is None:
                feeder = _Feeder(self.name, *embedders)
                self._bound = _Bound(model, stage, self._names, self._caches, feeder)
            yield self._bound

    def _move(self, stage: Stage) -> None:
        caches = new_caches(self.name, stage, self._names)
        if self._caches:
            move_rows(self._caches, caches, self.position)
        self._stage, self._caches, self._bound = stage, caches, None

    def _unbind(self) -> None:
        self._bound = None

    def _let_go(self) -> None:
        self._stage, self._caches, self._bound = None, [], None

    def _pause(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint()
        if self._cancelled:
            raise Cancelled(f"Decoding with {self.name} was cancelled.")

    def _call(self, run: Run) -> None:
        self._running = run
        try:
            run()
        finally:
            self._running = None


class _Bound:
    """The runs of an open model that share the caches of one length."""

    def __init__(
        self, model: Model, stage: Stage, names: tuple[CacheNames, ...], caches: list[Array], feeder: _Feeder
    ) -> None:
        self.stage, self.caches, self.feeder = stage, caches, feeder
        self._model, self._names = model, names
        self._prefills: dict[int, Run] = {}
        self.decode = self._bind(stage.decode, decoding=True)
        self.logits: npt.NDArray[np.float32] = self.decode.outputs["logits"].reshape(-1)
        self._shown = 0  # how many tokens the mask of the decode run lets it see

    def choose(self, left: int, position: int) -> tuple[Run, int]:
        """Return the run for the next tokens, and how many it takes.

        The engine writes all rows of a chunk at its position, filled or not, and shifts the chunk back where it
        would pass the end, over rows that are in use: so a chunk must fit as a whole.
        """
        fitting = [size for size in self.stage.prefills if position + size <= self.stage.length]
        for index, size in enumerate(fitting):
            # A larger run with room to spare beats several smaller ones, once it is half full.
            if left >= size or 2 * left >= size or (index == len(fitting) - 1 and left > 1):
                return self._prefill(size), size
        return self.decode, 1

    def place(self, run: Run, position: int, count: int) -> None:
        """Tell a run where its tokens stand, and what each of them may see: itself and all before it."""
        if run is self.decode:
            self.place_step(position)
            return
        size = tokens(run.signature)
        _one_of(run, POSITIONS).reshape(-1)[:] = np.arange(position, position + size)
        mask = _one_of(run, MASKS)
        mask[...] = _hidden(mask)
        rows = mask.reshape(size, -1)
        for row in range(count):
            rows[row, : position + row + 1] = _seen(mask)

    def place_step(self, position: int) -> None:
        """Tell the decode run where its token stands: from step to step that is one number of the mask."""
        _one_of(self.decode, POSITIONS).reshape(-1)[:] = position
        mask = _one_of(self.decode, MASKS)
        row = mask.reshape(-1)
        if position + 1 < self._shown or not self._shown:
            row[:] = _hidden(mask)
            self._shown = 0
        row[self._shown : position + 1] = _seen(mask)
        self._shown = position + 1

    def _prefill(self, size: int) -> Run:
        if size not in self._prefills:
            self._prefills[size] = self._bind(self.stage.prefills[size], decoding=False)
        return self._prefills[size]

    def _bind(self, signature: Signature, *, decoding: bool) -> Run:
        ends = [names.ends(decoding=decoding) for names in self._names]
        return self._model.bind(
            signature.name,
            inputs={before: cache for (before, _), cache in zip(ends, self.caches, strict=True)},
            outputs={after: cache for (_, after), cache in zip(ends, self.caches, strict=True)},
        )


def _embedders(name: str, decode: Signature, bundle: Bundle) -> tuple[str, ...]:
    """Name the sections that turn tokens into what a model takes."""
    found = []
    for tensor, section, what in (
        (_EMBEDDINGS, "tf_lite_embedder", "embeddings"),
        (_PER_LAYER, "tf_lite_per_layer_embedder", "embeddings for each layer"),
    ):
        if tensor in decode.inputs:
            if not bundle.has(section):
                raise ModelError(f"{name} takes {what}, and the bundle has no embedder for them.")
            found.append(section)
    return tuple(found)


class _Feeder:
    """Writes tokens, or embeddings where there are embedders, into a run's inputs."""

    def __init__(self, name: str, embedder: Model | None = None, per_layer: Model | None = None) -> None:
        self._name = name
        self._embedder = TokenEmbedder(embedder) if embedder else None
        self._per_layer = TokenEmbedder(per_layer) if per_layer else None

    def write(self, run: Run, chunk: list[int | npt.NDArray[np.float32]]) -> None:
        """Write a chunk that fits, each item a token or the embedding of one; the rest of the input is zero."""
        if self._embedder is None:
            if any(isinstance(item, np.ndarray) for item in chunk):
                raise ModelError(f"{self._name} takes tokens only, no frames.", fix="Ask without a frame.")
            row = _one_of(run, _TOKENS).reshape(-1)
            row[: len(chunk)] = chunk
            row[len(chunk) :] = 0
            return
        inputs = run.inputs[_EMBEDDINGS]
        rows = inputs.reshape(-1, inputs.shape[-1])
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


def _one_of(run: Run, names: tuple[str, ...]) -> Array:
    """Return the input that goes by one of several names."""
    return next(array for name, array in run.inputs.items() if name in names)


def _hidden(mask: Array) -> float:
    return _HIDDEN.get(mask.dtype.name, 0.0)


def _seen(mask: Array) -> float:
    return 1.0 if mask.dtype == np.bool_ else 0.0
