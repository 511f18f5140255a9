"""Edges of a line, with the kernel's time of each on the line of ``time.monotonic()``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from firmware_bridge.pins.gpio import Line
from firmware_bridge.reading import Reading

__all__ = ["EdgeClock", "edges"]

_LOOK_S = 0.5


class EdgeClock:
    """Puts the kernel's times of edges on the line of ``time.monotonic()``.

    Depending on the kernel they are of the clock of the day or of the monotonic one. Where they are of the day's, and
    that was set between two looks at it, an edge may have been before or after: its uncertainty holds both.

    Parameters
    ----------
    monotonic_ns, day_ns : function
        The two clocks.

    Source: Linux' Documentation/userspace-api/gpio; GPIO_V2_LINE_FLAG_EVENT_CLOCK_REALTIME, and for version 1 the
    change to the monotonic clock in Linux 5.7.
    """

    def __init__(
        self, monotonic_ns: Callable[[], int] = time.monotonic_ns, day_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._monotonic_ns, self._day_ns = monotonic_ns, day_ns
        self._ahead_ns = 0
        self.look()

    def look(self) -> tuple[int, int]:
        """Measure how far the day's clock is ahead, and how sure that is, in nanoseconds."""
        before = self._monotonic_ns()
        day = self._day_ns()
        after = self._monotonic_ns()
        ahead = day - (before + after) // 2
        changed, self._ahead_ns = abs(ahead - self._ahead_ns), ahead
        return after - before, changed

    def moment(self, stamp_ns: int) -> tuple[float, float]:
        """Give the time of an edge that came since the last look, and its uncertainty, both in seconds."""
        spread, changed = self.look()
        now = self._monotonic_ns()
        if abs(now - stamp_ns) <= abs(now + self._ahead_ns - stamp_ns):
            return stamp_ns / 1e9, 0.0
        return (stamp_ns - self._ahead_ns) / 1e9, (spread + changed) / 1e9


def edges(name: str, line: Line, is_over: Callable[[], bool], timeout_s: float | None = None) -> Iterator[Reading]:
    """Give one edge after the other: the level after it, and when it was.

    The kernel keeps 16 of a line until they are fetched. Where one is missing, two in the same direction follow each
    other, and the second says so in `Reading.missed`; an even number that is lost between two looks is not seen.

    Parameters
    ----------
    is_over : function
        Says that the line is to be let go.
    timeout_s : float, optional
        End when none came for so long.
    """
    clock = EdgeClock()
    level: int | None = None
    last_s = time.monotonic()
    while not is_over():
        clock.look()
        left_s = _LOOK_S if timeout_s is None else min(_LOOK_S, last_s + timeout_s - time.monotonic())
        if left_s <= 0:
            return
        edge = line.edge(left_s)
        if edge is None:
            continue
        last_s = time.monotonic()
        time_s, uncertainty_s = clock.moment(edge[1])
        missed = int(edge[0] == level)
        level = edge[0]
        yield Reading(name, level, "", time_s, uncertainty_s, missed)
