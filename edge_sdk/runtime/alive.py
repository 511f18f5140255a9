"""Tells the bridge's heartbeat of runs, so that motion stops when a model stalls."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter

from firmware_bridge.heartbeat import HEARTBEAT

__all__ = ["Alive"]

# How many times longer than the one before a run may take. A machine that does something else besides takes twice as
# long easily; and what is announced up to the length of a lease changes nothing.
_SLACK = 3.0


class Alive:
    """Announces each run as long as the one before took, and some more.

    The first one prepares things in the engine, so nobody knows: it may take as long as a lease can be. Where no bridge
    is open nothing is told, and nothing is timed.
    """

    __slots__ = ("_took_s",)

    def __init__(self) -> None:
        self._took_s = math.inf

    def __call__(self, run: Callable[[], None]) -> None:
        """Run, and tell of it."""
        if not HEARTBEAT.is_watched:
            run()
            return
        with HEARTBEAT.working():
            HEARTBEAT.expect(_SLACK * self._took_s)
            begin_s = perf_counter()
            run()
            self._took_s = perf_counter() - begin_s
