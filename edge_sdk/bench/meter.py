"""Power and energy while something runs, where the machine tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import fmean
from types import TracebackType

from boards.telemetry import EnergyMeter, EnergyReading

__all__ = ["Meter"]

_EVERY_S = 0.05


class Meter:
    """Adds up what several stretches of work take.

    Parameters
    ----------
    source : EnergyMeter, optional
        What tells.
    clock : function
        Gives seconds.
    """

    def __init__(self, source: EnergyMeter | None = None, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._source, self._clock = source or EnergyMeter(), clock
        self._energy_j, self._taken_s = 0.0, 0.0

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add what a ``with`` block takes: power is looked at all the time, a counter before and after."""
        if not self._source.source:
            yield
            return
        begin_s, first = self._clock(), self._source.read()
        powers = [] if first.power_w is None else [first.power_w]
        done = threading.Event()
        thread = threading.Thread(target=self._look, args=(powers, done), name="edge-bench power", daemon=True)
        if powers:
            thread.start()
        try:
            yield
        finally:
            done.set()
            if powers:
                thread.join()
        taken_s = self._clock() - begin_s
        energy_j = fmean(powers) * taken_s if powers else _between(first, self._source.read())
        if energy_j is not None:
            self._energy_j += energy_j
            self._taken_s += taken_s

    def found(self, tokens: int) -> dict[str, float]:
        """Give the mean power and the energy of one of so many tokens; nothing where it was not told."""
        if not (self._taken_s and tokens):
            return {}
        return {"power": self._energy_j / self._taken_s, "energy_token": self._energy_j / tokens}

    def _look(self, powers: list[float], done: threading.Event) -> None:
        while not done.wait(_EVERY_S):
            power_w = self._source.read().power_w
            if power_w is not None:
                powers.append(power_w)


def _between(first: EnergyReading, last: EnergyReading) -> float | None:
    """Give the energy between two readings of a counter, which began again at most once."""
    if first.energy_j is None or last.energy_j is None:
        return None
    energy_j = last.energy_j - first.energy_j
    if energy_j < 0:
        return None if first.wraps_at_j is None else energy_j + first.wraps_at_j
    return energy_j
