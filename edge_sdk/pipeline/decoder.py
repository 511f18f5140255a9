"""One conversation's place in a language model: prompts in chunks, then tokens, over caches updated in place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle import Bundle
from edge_sdk.errors import Cancelled, ClosedError, PromptTooLong
from edge_sdk.memory import DECODER, Acquire
from edge_sdk.pipeline.binding import Binding, BoundRun
from edge_sdk.pipeline.chunk import Chunk
from edge_sdk.pipeline.feeder import Feeder, embedder_sections
from edge_sdk.pipeline.head import HeadFile
from edge_sdk.pipeline.item import Item, common, items_of
from edge_sdk.pipeline.kv_cache import Caches, Stage, cache_layout, copy_rows, move_rows, new_caches, read_stages
from edge_sdk.pipeline.prefix import Kin
from edge_sdk.runtime import Model, Run

__all__ = ["Decoder"]

Part: TypeAlias = "Sequence[int] | npt.NDArray[np.float32]"


class Decoder:
    """A place in a language model: its caches, how full they are, and what they were filled with.

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
    kin : Kin, optional
        What it shares with other decoders of the same model.
    for_good : bool
        Nothing else will need the models' room: what was opened once is kept, and no step has to ask for it.

    Attributes
    ----------
    name : str
        The model's, for messages.
    position : int
        Tokens that count.
    capacity : int
        The most that the longest cache holds.
    kin : Kin
        What it shares with other decoders.
    rows, caches, rewrites
        What was computed; see `Computed`. After `start` there is more of it than counts.
    recalled : int
        Tokens of the last prompt that did not have to be computed.
    """

    def __init__(
        self,
        bundle: Bundle,
        acquire: Acquire,
        checkpoint: Callable[[], None] | None = None,
        longest: int | None = None,
        kin: Kin | None = None,
        *,
        for_good: bool = False,
    ) -> None:
        self._acquire = acquire
        self._turns = ExitStack() if for_good else None
        self._models: list[Model] = []
        with acquire(DECODER) as model:
            self.name = model.name
            stages, self._names = read_stages(model, bundle.executor)
            head_file = None if kin else HeadFile.of(bundle, model.weights)
        # The shortest is always there: a plan for less is one for another model.
        self._stages = [stage for stage in stages if longest is None or stage.length <= longest] or [stages[0]]
        self._sections = (DECODER, *embedder_sections(self.name, self._stages[-1].decode, bundle))
        self._checkpoint = checkpoint
        self._binding: Binding | None = None
        self._running: Run | None = None
        self._cancelled = self._closed = False
        self._begins = True  # nothing of a prompt was run yet
        self.position = self.recalled = 0
        most = bundle.metadata.max_num_tokens
        self.capacity = min(self._stages[-1].length, most) if most else self._stages[-1].length
        self.rows: list[Item] = []
        self.caches: Caches | None = None
        self.rewrites = 0
        self.kin = kin or Kin(bundle.section(DECODER).size, head_file)
        self.kin.join(self)

    def __repr__(self) -> str:
        length = self.caches.stage.length if self.caches else 0
        return f"<Decoder of {self.name}: {self.position} of {self.capacity} tokens, cache of {length}>"

    def prepare(self) -> None:
        """Have all ready for the next prompt, in the shortest cache or that in use; only where models are kept open."""
        self._check_open()
        with self._open(self.caches.stage if self.caches else self._stages[0]) as binding:
            for model in self._models:
                model.prepare()
            if not self.rows:
                binding.warm_up(lambda: not self._closed)

    def feed(self, *parts: Part) -> None:
        """Run a prompt, or the next piece of one, through the model; parts share a run where they fit.

        What is known to be computed already is not computed again.

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
        prompt = items_of(parts)
        self._prepare(len(prompt))
        self._run(prompt, scored=False)

    def prefill(self, *parts: Part) -> npt.NDArray[np.float32]:
        """Run a prompt as `feed` does, and return the scores of what may follow it: as `step` does."""
        prompt = items_of(parts)
        self._prepare(len(prompt))
        scores = self._run(prompt, scored=True)
        assert scores is not None, "the last token of a prompt is always computed"
        return scores

    def step(self, token: int) -> npt.NDArray[np.float32]:
        """Run one token, and return the scores of what may follow it.

        Returns
        -------
        ndarray
            ``(V,)`` float32, a view of the engine's output that the next step overwrites.
        """
        self._prepare(1)
        self._pause()
        with self._open(self._shortest(self.position + 1)) as binding:
            self._call(binding.step, [token])
            return binding.scores

    @property
    def verifies(self) -> tuple[tuple[int, float], ...]:
        """How many tokens `verify` may take now, and how many steps each of these runs costs; empty for none."""
        caches = self.caches
        if caches is None or caches.axes is None or not caches.stage.verifies:
            return ()
        stage, pace = caches.stage, self.kin.pace
        room, step = min(stage.length, self.capacity) - self.position, pace.step(stage)
        return tuple((size, pace.cost(stage, run) / step) for size, run in stage.verifies.items() if size <= room)

    def verify(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Run several tokens, no more than `verifies` says, and return the scores of what may follow each of them.

        Returns
        -------
        ndarray
            ``(len(tokens), V)`` float32, a view of the engine's output that the next run overwrites.
        """
        self._prepare(len(tokens))
        self._pause()
        with self._open(self._shortest(self.position + 1)) as binding:
            size = min(size for size in binding.stage.verifies if size >= len(tokens))
            bound = binding.run(binding.stage.verifies[size].name)
            self._call(bound, list(tokens))
            assert bound.scores is not None, "what verifies gives scores"
            return bound.scores[: len(tokens)]

    def rewind(self, count: int) -> None:
        """Take back the last tokens."""
        self.position -= count

    def start(self) -> None:
        """Begin a new prompt; what it has in common with the one before it will not be computed again."""
        self.position, self._begins = 0, True
        if self.caches is not None and self.caches.axes is None:
            self._cut(0)

    def reset(self, keep: int = 0) -> None:
        """Forget all tokens but the first `keep`, for a prompt that begins alike; give memory back where it grew."""
        self.position, self._begins = 0, True
        self._cut(keep if self.caches is not None and self.caches.axes is not None else 0)
        stage = self._stages[0] if not self.rows else self._shortest(len(self.rows))
        if self.caches is not None and self.caches.stage is not stage:
            if self.rows:
                self._move(stage, len(self.rows))
            else:
                self._let_go()

    def cancel(self) -> None:
        """Stop what `feed` or `step` is doing in another thread; it raises `Cancelled`."""
        self._cancelled = True
        if run := self._running:
            run.cancel()

    def close(self) -> None:
        """Give back the caches' memory; twice is harmless."""
        self._closed = True
        self.kin.leave(self)
        self._let_go()
        self._models = []
        if self._turns is not None:
            self._turns.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"This decoder of {self.name} was closed.")

    def _prepare(self, count: int) -> None:
        """Check that there is room for more tokens."""
        self._check_open()
        self._cancelled = False
        if self.position + count > self.capacity:
            raise PromptTooLong(
                f"{count} more tokens after {self.position} do not fit.",
                why=f"{self.name} holds {self.capacity}, the answer included.",
                fix="Ask something shorter, or start a new conversation.",
            )

    def _run(self, prompt: list[Item], *, scored: bool) -> npt.NDArray[np.float32] | None:
        """Run what is not computed yet of a prompt; give the scores after its last token."""
        before = self.position
        self._recall(prompt if not scored else prompt[:-1])
        done = self.position - before
        self.recalled = done
        stage, chunks = self._plan(len(prompt) - done, self.position, scored=scored)
        scores = None
        for chunk in chunks:
            self._pause()
            items = prompt[done : done + chunk.count]
            with self._open(stage) as binding:
                bound = binding.run(chunk.name)
                self._call(bound, items)
                scores = bound.after(len(items))
            done += len(items)
        return scores

    def _plan(self, left: int, position: int, *, scored: bool = False) -> tuple[Stage, list[Chunk]]:
        """Choose the runs for a prompt, and the length of the caches: no shorter than those that a prompt is in."""
        stages = self._stages
        if self.caches is not None and not self._begins:
            stages = [stage for stage in stages if stage.length >= self.caches.stage.length]
        return self.kin.pace.plan(stages, left, position, scored=scored)

    def _recall(self, prompt: list[Item]) -> None:
        """Move on over what is computed already of a prompt: in these caches, or in those of another decoder."""
        before = self.position
        self.position += common(self.rows[before:], prompt)
        if not self._begins or before:
            return
        self.kin.read_head(lambda: cache_layout(self._stages[0], self._names))
        count, other = self.kin.longest(prompt, self)
        if other is None or count <= self.position:
            return
        source, rewrites = other.caches, other.rewrites
        stage, _ = self._plan(len(prompt) - count, count)
        if source is None or source.axes is None or common(tuple(other.rows), prompt[:count]) < count:
            return  # it went on meanwhile
        if self.caches is None or self.caches.stage is not stage:
            self._move(stage, self.position)
        assert self.caches is not None
        self._cut(self.position)
        copy_rows(source, self.caches, self.position, count)
        if other.rewrites == rewrites:
            self.rows += prompt[self.position : count]
            self.position = count

    def _shortest(self, needed: int) -> Stage:
        """Return the stage in use where that is long enough, or the shortest that is."""
        if self.caches is not None and not self._begins and self.caches.stage.length >= needed:
            return self.caches.stage
        return next(stage for stage in self._stages if stage.length >= needed)

    def _open(self, stage: Stage) -> AbstractContextManager[Binding]:
        """Have models, and caches of a stage; what is in use is moved along."""
        if self._turns is not None and self._binding is not None and self._binding.stage is stage:
            return nullcontext(self._binding)
        return self._take_turn(stage)

    @contextmanager
    def _take_turn(self, stage: Stage) -> Iterator[Binding]:
        with ExitStack() as stack:
            if not self._models:
                turns = stack if self._turns is None else self._turns
                self._models = [turns.enter_context(self._acquire(name, self._unbind)) for name in self._sections]
            model, *embedders = self._models
            if self._turns is None:
                self._models = []
            if self.caches is None or self.caches.stage is not stage:
                self._move(stage, self.position)
            assert self.caches is not None
            if self._binding is None:
                self._binding = Binding(model, self._names, self.caches, Feeder(self.name, *embedders))
            yield self._binding

    def _move(self, stage: Stage, used: int) -> None:
        caches = new_caches(self.name, stage, self._names)
        if self.caches is not None:
            move_rows(self.caches.arrays, caches.arrays, used)
        self._cut(used)
        self.caches, self._binding = caches, None

    def _cut(self, count: int) -> None:
        """Note that places from `count` on are about to be written over."""
        if len(self.rows) > count:
            del self.rows[count:]
            self.rewrites += 1  # last: who reads it and finds the old number has seen rows that were still there

    def _unbind(self) -> None:
        self._binding, self._models = None, []

    def _let_go(self) -> None:
        self._cut(0)
        self.caches, self._binding = None, None

    def _pause(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint()
        if self._cancelled:
            raise Cancelled(f"Decoding with {self.name} was cancelled.")

    def _call(self, bound: BoundRun, items: list[Item]) -> None:
        """Run items that fit, and count them."""
        bound.write(items, self.position)
        self._cut(self.position)
        self._running = bound.run
        begin = time.perf_counter()
        try:
            bound.run(lambda: not self._cancelled)
        finally:
            self._running = None
        assert self.caches is not None
        self.kin.pace.note(self.caches.stage, bound.run.signature, time.perf_counter() - begin)
        self.rows += items
        self.position += len(items)
        self._begins = False
