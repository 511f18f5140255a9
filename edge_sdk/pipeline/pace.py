"""What the runs of a language model cost: measured as they are made, modelled until then."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edge_sdk.pipeline.chunk import Chunk, plan_chunks
from edge_sdk.pipeline.kv_cache import LAST_ROW, Stage, reach, tokens
from edge_sdk.runtime import Signature

__all__ = ["Pace"]

# How many rows of a prompt take as long as reading all weights once: 15 to 20 measured with INT8 weights, x86-64.
_ROWS_PER_STEP = 18
# A run that was slower than the fastest of its kind may have been disturbed, or the machine got slower.
_DRIFT = 0.1
# Plans are kept, for most prompts are as long as one before, and to plan one takes a hundredth of a small bundle's
# first word. One holds as long as all runs cost what they did to within a step of this scale.
_GRADE, _PLANS = math.log(1.1), 256
# Beside more runs than these planning is nothing, and a plan takes 0.1 kB for each.
_RUNS_KEPT = 32


class Pace:
    """The costs of a model's runs, shared by all who run it.

    A step reads all weights and all of the cache, so until it is measured it costs what these take together; each
    row of a longer run adds its share of computing.

    Parameters
    ----------
    weights_bytes : int
        What a step reads besides the cache.
    """

    def __init__(self, weights_bytes: int) -> None:
        self._weights_bytes = weights_bytes
        self._measured: dict[str, float | None] = {}  # by signature
        self._latest: tuple[Stage, Signature, float] | None = None  # a run that was measured
        self._grades: dict[str, int] = {}  # of measured costs, by signature
        self._plans: dict[tuple[object, ...], tuple[int, list[Chunk]]] = {}  # with the length of the caches

    def note(self, stage: Stage, signature: Signature, seconds: float) -> None:
        """Remember what a run over a stage's caches took, but for the first of its kind, which prepares it."""
        if signature.name not in self._measured:
            self._measured[signature.name] = None
            return
        before = self._measured[signature.name]
        found = seconds if before is None else min(seconds, before + _DRIFT * (seconds - before))
        self._measured[signature.name] = found
        self._latest = stage, signature, found
        self._grades[signature.name] = round(math.log(max(found, 1e-9)) / _GRADE)

    def cost(self, stage: Stage, signature: Signature) -> float:
        """Return what a run costs: in seconds, or in a unit of its own as long as none was measured."""
        measured = self._measured.get(signature.name)
        if measured is not None:
            return measured
        known, known_run, seconds = self._latest or (stage, stage.decode, self._modelled(stage, stage.decode))
        return seconds * self._modelled(stage, signature) / self._modelled(known, known_run)

    def step(self, stage: Stage) -> float:
        """Return what a step costs, in the unit of `cost`."""
        return self.cost(stage, stage.decode)

    @property
    def known(self) -> bool:
        """Whether costs are in seconds."""
        return self._latest is not None

    def chunks(self, stage: Stage) -> list[Chunk]:
        """Give the runs that a stage offers, with their costs; of those that cost the same the first is to be taken."""
        prompts = (*stage.begins.items(), *stage.prefills.items())
        runs = [(size, run, LAST_ROW in run.inputs) for size, run in prompts]
        runs += [(size, run, True) for size, run in (*stage.verifies.items(), (1, stage.decode))]
        return [Chunk(size, self.cost(stage, run), scored, reach(run), run.name) for size, run, scored in runs]

    def plan(
        self, stages: Sequence[Stage], left: int, position: int, *, scored: bool = False
    ) -> tuple[Stage, list[Chunk]]:
        """Choose the runs for a prompt, and the length of the caches: the shortest, unless a longer one costs less.

        What a longer one adds to each step counts until the shortest would have been full.

        Parameters
        ----------
        stages : sequence of Stage
            Those that may be used, the shortest first; the last one holds the prompt.
        left, position, scored
            As `plan_chunks` takes them.
        """
        key = (stages[0].length, stages[-1].length, left, position, scored, *self._grades.values())
        kept = self._plans.get(key)
        if kept is not None:
            # Each who runs the model has stages of its own; another's would cost it new caches, and binding anew.
            return next(stage for stage in stages if stage.length == kept[0]), kept[1]
        stage, chunks = self._new_plan(stages, left, position, scored=scored)
        if len(self._plans) >= _PLANS:
            self._plans.clear()
        if len(chunks) <= _RUNS_KEPT:
            self._plans[key] = stage.length, chunks
        return stage, chunks

    def _new_plan(
        self, stages: Sequence[Stage], left: int, position: int, *, scored: bool
    ) -> tuple[Stage, list[Chunk]]:
        end = position + left
        fitting = [stage for stage in stages if stage.length >= end]
        found = []
        for stage in fitting:
            cost, chunks = plan_chunks(left, position, stage.length, self.chunks(stage), scored=scored)
            cost += (fitting[0].length - end) * (self.step(stage) - self.step(fitting[0]))
            found.append((cost, stage.length, stage, chunks))
        _, _, stage, chunks = min(found, key=lambda item: item[:2])
        return stage, chunks

    def _modelled(self, stage: Stage, signature: Signature) -> float:
        step, size = self._weights_bytes + stage.cache_bytes, tokens(signature)
        return step if size == 1 else step * (1 + size / _ROWS_PER_STEP)
