"""Whether the work of this process is alive: what the inference loop tells, and the lease of a bridge hangs on.

This module imports nothing heavy, so that the loop may call it whether or not a bridge is open; a beat takes a
fraction of a microsecond.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

__all__ = ["HEARTBEAT", "Heartbeat", "Work"]

_LONG_S = 0.5  # half of the usual lease


class Work:
    """What one thread works at; a ``with`` block, in which beats must come."""

    __slots__ = ("_heartbeat", "announced_s", "beat_s", "depth", "until_s")

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self.beat_s = self.announced_s = self.until_s = 0.0
        self.depth = 0

    def __enter__(self) -> Work:
        self.depth += 1
        self.beat_s, self.until_s = self._heartbeat.clock(), 0.0
        self._heartbeat.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.depth -= 1
        if self.depth:
            self.beat_s, self.until_s = self._heartbeat.clock(), 0.0
        else:
            self._heartbeat.end(self)


class Heartbeat:
    """Takes beats of threads that work, and says whether all of them are alive.

    Parameters
    ----------
    clock : function
        Monotonic seconds.

    Attributes
    ----------
    is_watched : bool
        Whether anybody renews leases: where not, nobody needs to tell anything.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.is_watched = False
        self._watching: tuple[Callable[[], None], ...] = ()
        self._works: dict[int, Work] = {}

    def working(self) -> Work:
        """Give the ``with`` block of this thread's work; in it a beat must come within every lease."""
        return self._works.get(threading.get_ident()) or Work(self)

    def beat(self) -> None:
        """Tell that this thread's work goes on; outside of `working` it says nothing."""
        work = self._works.get(threading.get_ident())
        if work is not None:
            work.beat_s, work.until_s = self.clock(), 0.0

    def expect(self, seconds: float) -> None:
        """Announce that this thread's next beat may take so long, at most; of infinity, the longest lease is left."""
        work = self._works.get(threading.get_ident())
        if work is not None:
            work.announced_s = work.beat_s = self.clock()
            work.until_s = work.announced_s + seconds
            if seconds > _LONG_S:
                for tell in self._watching:
                    tell()

    def late_s(self, lease_s: float, longest_s: float) -> float:
        """Say how much later than it may be the latest beat is; negative while all work is alive.

        Parameters
        ----------
        lease_s, longest_s : float
            What a beat may take, and what one that was announced may take at most.
        """
        now_s = self.clock()
        late_s = float("-inf")
        for work in tuple(self._works.values()):
            due_s = max(work.beat_s + lease_s, min(work.until_s, work.announced_s + longest_s))
            late_s = max(late_s, now_s - due_s)
        return late_s

    def expected_s(self, longest_s: float) -> float:
        """Say how long the longest step that was announced may yet take, of `longest_s` in all; below 0 for none."""
        now_s, works = self.clock(), tuple(self._works.values())
        return max((min(work.until_s, work.announced_s + longest_s) - now_s for work in works), default=0.0)

    def watch(self, tell: Callable[[], None]) -> None:
        """Be told of steps that take longer than half a second, from now on."""
        self._watching = (*self._watching, tell)
        self.is_watched = True

    def unwatch(self, tell: Callable[[], None]) -> None:
        """Be told no more; twice is harmless."""
        self._watching = tuple(one for one in self._watching if one != tell)
        self.is_watched = bool(self._watching)

    def begin(self, work: Work) -> None:
        """Count work of this thread from now on."""
        self._works[threading.get_ident()] = work

    def end(self, work: Work) -> None:
        """Count work no longer, whichever thread says so: a generator may be closed by another than began it."""
        for thread, one in tuple(self._works.items()):
            if one is work:
                del self._works[thread]


HEARTBEAT = Heartbeat()
"""That of this process."""
