"""Reads sensors regularly, as a microcontroller's ring does."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

from firmware_bridge.part.sensor import Sample

__all__ = ["Sampler"]


class Sampler:
    """Reads whenever the one who follows asks for the next.

    Parameters
    ----------
    read : function
        Reads a name: its value, None where it has none, microseconds of the clock when it was measured, and how far
        off they may be; raises `OSError`.
    sleep : function
        Waits for seconds, and says whether all is over.
    clock : function
        Monotonic seconds.
    """

    def __init__(
        self,
        read: Callable[[str], tuple[Any, int, int]],
        sleep: Callable[[float], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._sleep, self._clock = read, sleep, clock

    def follow(self, name: str, period_s: float) -> Generator[Sample, None, None]:
        """Give one after the other, until all is over; those are missed for which nobody asked."""
        due_s = self._clock()
        while True:
            late_s = self._clock() - due_s
            if late_s < 0 and self._sleep(-late_s):
                return
            missed = max(0, int(late_s / period_s))
            due_s += (missed + 1) * period_s
            try:
                value, ticks_us, within_us = self._read(name)
            except OSError:
                value, ticks_us, within_us = None, int(self._clock() * 1e6), 0
            yield Sample(value, ticks_us, missed, within_us)
