"""The runs of an open language model, bound to caches of one length, with their inputs written in place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_sdk.pipeline.feeder import Feeder
from edge_sdk.pipeline.item import Item
from edge_sdk.pipeline.kv_cache import MASKS, POSITIONS, CacheNames, Caches
from edge_sdk.runtime import Array, Model, Run, Signature

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
        ``(size, V)`` float32, a view of the engine's output; None where a run gives none.
    """

    def __init__(self, run: Run, size: int, feeder: Feeder) -> None:
        self.run, self.size = run, size
        logits = run.outputs.get("logits")
        self.scores: npt.NDArray[np.float32] | None = None if logits is None else logits.reshape(size, -1)
        self._feeder, self._rows = feeder, feeder.rows(run)
        self._positions = _one_of(run, POSITIONS).reshape(-1)
        mask = _one_of(run, MASKS)
        self._mask = mask.reshape(size, -1)
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
        self._longer: dict[tuple[int, bool], BoundRun] = {}
        self.step = self._bind(self.stage.decode, 1)
        assert self.step.scores is not None, "what decodes gives scores"
        self.scores: npt.NDArray[np.float32] = self.step.scores[0]

    def longer(self, size: int, *, scored: bool) -> BoundRun:
        """Give the run for several tokens, with or without scores."""
        key = size, scored
        if key not in self._longer:
            offered = self.stage.verifies if scored else self.stage.prefills
            self._longer[key] = self._bind(offered[size], size)
        return self._longer[key]

    def _bind(self, signature: Signature, size: int) -> BoundRun:
        ends = [names.ends(decoding=size == 1) for names in self._names]
        run = self._model.bind(
            signature.name,
            inputs={before: cache for (before, _), cache in zip(ends, self._caches.arrays, strict=True)},
            outputs={after: cache for (_, after), cache in zip(ends, self._caches.arrays, strict=True)},
        )
        return BoundRun(run, size, self._feeder)


def _one_of(run: Run, names: tuple[str, ...]) -> Array:
    """Return the input that goes by one of several names."""
    return next(array for name, array in run.inputs.items() if name in names)
