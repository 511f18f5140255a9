"""The runs of an open language model, bound to caches of one length, with their inputs written in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edge_sdk.pipeline.feeder import Feeder
from edge_sdk.pipeline.item import Item
from edge_sdk.pipeline.kv_cache import LAST_ROW, MASKS, POSITIONS, CacheNames, Caches, tokens
from edge_sdk.runtime import Array, Model, Run

__all__ = ["Binding", "BoundRun"]

# What stands in a mask where a token must not look: far enough from the type's limit that sums do not overflow,
# and the same as in LiteRT-LM. Source: litert_compiled_model_executor_utils.cc, LiteRT-LM 0.18.
_HIDDEN = {"float32": -0.7 * float(np.finfo(np.float32).max), "float16": -45824.0}


class BoundRun:
    """One run, and views of what is written before it and read after it.

    Attributes
    ----------
    run : Run
        What is called.
    size : int
        Tokens that it takes.
    scores : ndarray or None
        ``(size, V)`` float32, or ``(1, V)`` after the last item alone: a view of the engine's output. None where a run
        gives none.
    """

    def __init__(self, run: Run, size: int, feeder: Feeder) -> None:
        self.run, self.size = run, size
        logits = run.outputs.get("logits")
        self.scores: npt.NDArray[np.float32] | None = None if logits is None else logits.reshape(-1, logits.shape[-1])
        self._feeder, self._rows = feeder, feeder.rows(run)
        self._positions = _one_of(run, POSITIONS).reshape(-1)
        mask = _one_of(run, MASKS)
        self._mask = mask.reshape(size, -1)
        last = run.inputs.get(LAST_ROW)
        self._last = None if last is None else last.reshape(-1)
        if self._last is not None:
            self._last[0] = 1  # of one token that is the last, whatever is written
        self._hidden, self._seen = _HIDDEN.get(mask.dtype.name, 0.0), 1.0 if mask.dtype == np.bool_ else 0.0
        self._shown = -1  # how much of the cache a step's mask shows, where that is known

    def write(self, items: Sequence[Item], position: int) -> None:
        """Write items and where they stand; each may see itself and all before it.

        From step to step the mask changes in one number.
        """
        if self.size == 1:
            self._write_step(items[0], position)
            return
        self._feeder.write(self.run, self._rows, items)
        self._positions[:] = np.arange(position, position + self.size)
        self._mask[:] = self._hidden
        self._mask[: len(items), :position] = self._seen
        for row in range(len(items)):
            self._mask[row, position : position + row + 1] = self._seen
        if self._last is not None:
            self._last[:] = 0
            self._last[len(items) - 1] = 1

    def after(self, count: int) -> npt.NDArray[np.float32] | None:
        """Give the scores of what may follow the last of so many items, which were written: ``(V,)``, a view."""
        return None if self.scores is None else self.scores[min(count, len(self.scores)) - 1]

    def _write_step(self, item: Item, position: int) -> None:
        # Between two steps the processor's caches are swept by weights: every line here takes microseconds.
        if self._feeder.plain and isinstance(item, int):
            self._rows[0] = item
        else:
            self._feeder.write(self.run, self._rows, (item,))
        self._positions[0] = position
        if self._shown != position:
            self._mask[:] = self._hidden
            self._mask[0, :position] = self._seen
        self._mask[0, position] = self._seen
        self._shown = position + 1


class Binding:
    """The runs of an open model that share the caches of one length; each is bound when it is first needed.

    Attributes
    ----------
    stage : Stage
        Whose runs they are.
    step : BoundRun
        The one for one token.
    scores : ndarray
        ``(V,)`` float32, what a step writes.
    """

    def __init__(self, model: Model, names: tuple[CacheNames, ...], caches: Caches, feeder: Feeder) -> None:
        self.stage = caches.stage
        self._model, self._names, self._caches, self._feeder = model, names, caches, feeder
        self._bound: dict[str, BoundRun] = {}
        self._warm = False
        self.step = self.run(self.stage.decode.name)
        assert self.step.scores is not None, "what decodes gives scores"
        self.scores: npt.NDArray[np.float32] = self.step.scores[0]

    def run(self, name: str) -> BoundRun:
        """Give the run of a signature."""
        if name not in self._bound:
            self._bound[name] = self._bind(name)
        return self._bound[name]

    def warm_up(self, wanted: Callable[[], bool]) -> None:
        """Make the longest run of a prompt and a step over empty caches, while that is wanted; once.

        The engine gets ready for a run in the run itself: of 128 tokens the first takes 1.4 times as long as the next.
        """
        longest = [*self.stage.begins.values(), *self.stage.prefills.values()][:1]
        signatures = () if self._warm else (*longest, self.stage.decode)
        for signature in signatures:
            bound = self.run(signature.name)
            bound.write([0] * bound.size, 0)
            bound.run(wanted)
        self._warm = True

    def _bind(self, name: str) -> BoundRun:
        size = tokens(self._model.signatures[name])
        ends = [names.ends(decoding=size == 1) for names in self._names]
        inputs = {before: cache for (before, _), cache in zip(ends, self._caches.arrays, strict=True)}
        outputs = {after: cache for (_, after), cache in zip(ends, self._caches.arrays, strict=True)}
        # Scores are read before the next run, so that runs which give as many share them: 0.2 MB for 49 152 words.
        told = self._model.signatures[name].outputs.get("logits")
        scores = next((bound.run.outputs["logits"] for bound in self._bound.values()), None)
        if told is not None and scores is not None and (told.shape, told.dtype) == (scores.shape, scores.dtype):
            outputs["logits"] = scores
        run = self._model.bind(name, inputs=inputs, outputs=outputs)
        return BoundRun(run, size, self._feeder)


def _one_of(run: Run, names: tuple[str, ...]) -> Array:
    """Return the input that goes by one of several names."""
    return next(array for name, array in run.inputs.items() if name in names)
