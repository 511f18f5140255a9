"""What the runs of a language model cost: measured as they are made, modelled until then."""

from __future__ import annotations

from edge_sdk.pipeline.chunk import Chunk
from edge_sdk.pipeline.kv_cache import Stage

__all__ = ["Pace"]

# How many rows of a prompt take as long as reading all weights once: 8 to 15 measured with INT8 weights, x86-64.
_ROWS_PER_STEP = 12
# A run that was slower than the fastest of its kind may have been disturbed, or the machine got slower.
_DRIFT = 0.1


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
        self._measured: dict[tuple[int, int, bool], float | None] = {}
        self._latest: tuple[Stage, int, float] | None = None  # a run that was measured

    def note(self, stage: Stage, size: int, seconds: float, *, scored: bool) -> None:
        """Remember what a run over a stage's caches took, but for the first of its kind, which prepares it."""
        key = stage.length, size, scored
        if key not in self._measured:
            self._measured[key] = None
            return
        before = self._measured[key]
        found = seconds if before is None else min(seconds, before + _DRIFT * (seconds - before))
        self._measured[key] = found
        self._latest = stage, size, found

    def cost(self, stage: Stage, size: int, *, scored: bool) -> float:
        """Return what a run costs: in seconds, or in a unit of its own as long as none was measured."""
        measured = self._measured.get((stage.length, size, scored))
        if measured is not None:
            return measured
        known, known_size, seconds = self._latest or (stage, 1, self._modelled(stage, 1))
        return seconds * self._modelled(stage, size) / self._modelled(known, known_size)

    def step(self, stage: Stage) -> float:
        """Return what a step costs, in the unit of `cost`."""
        return self.cost(stage, 1, scored=True)

    @property
    def known(self) -> bool:
        """Whether costs are in seconds."""
        return self._latest is not None

    def chunks(self, stage: Stage) -> list[Chunk]:
        """Give the runs that a stage offers, with their costs."""
        kinds = [(size, False) for size in stage.prefills] + [(size, True) for size in (*stage.verifies, 1)]
        return [Chunk(size, self.cost(stage, size, scored=scored), scored) for size, scored in kinds]

    def _modelled(self, stage: Stage, size: int) -> float:
        step = self._weights_bytes + stage.cache_bytes
        return step if size == 1 else step * (1 + size / _ROWS_PER_STEP)
