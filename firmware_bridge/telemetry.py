"""Readings from the microcontroller's ring, fetched by index and handed to all who follow them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from typing import Any

from firmware_bridge.error import BridgeError, Restarted

__all__ = ["Telemetry"]

_MOST = 64  # readings in an answer; fewer come where its buffer holds no more
_QUEUE = 4096
_RING = 1024  # at least as many as a microcontroller keeps
_LOOK_S = 0.02  # longest pause before the ring is looked at again
# Of fast ones there is a pause after fewer rows than these: row by row a thousand a second would take all of the lane.
_ENOUGH, _BREATH_S = 16, 0.005


class _Follower:
    __slots__ = ("missed", "name", "period_s", "queue")

    def __init__(self, name: str, period_s: float) -> None:
        self.name, self.period_s, self.missed = name, period_s, 0
        self.queue: deque[tuple[Any, Any, int]] = deque()

    def put(self, value: Any, ticks_us: Any) -> None:
        if len(self.queue) == _QUEUE:  # nobody takes them
            self.queue.popleft()
            self.missed += 1
        self.queue.append((value, ticks_us, self.missed))
        self.missed = 0


class Telemetry:
    """Has the microcontroller sample what is followed, and fetches it for whoever asks next.

    Parameters
    ----------
    watch : function
        Has names sampled every so many microseconds; 0 ends it.
    readings : function
        Gives readings from an index on, so many at most.
    epoch : function
        Counts the sessions: a new one knows nothing of what was sampled in the one before.
    sleep : function
        Waits until there may be more.
    """

    def __init__(
        self,
        watch: Callable[[list[str], int], Mapping[str, Any]],
        readings: Callable[[int, int], Mapping[str, Any]],
        epoch: Callable[[], int],
        sleep: Callable[[float], object],
    ) -> None:
        self._watch, self._readings, self._epoch, self._sleep = watch, readings, epoch, sleep
        self._lock = threading.Lock()
        self._followers: list[_Follower] = []
        self._next = 0
        self._watched = False
        self._began_in = 0

    def follow(self, name: str, period_s: float) -> Generator[tuple[Any, int, int], None, None]:
        """Give value, the microcontroller's clock, and how many readings were lost before, one after the other.

        Raises
        ------
        BridgeError
            If the microcontroller does not answer, or refuses.
        """
        follower = _Follower(name, period_s)
        with self._lock:
            self._followers.append(follower)
            self._watched = False
        enough = _ENOUGH if period_s < _BREATH_S else 1
        try:
            while True:
                if not follower.queue:
                    with self._lock:
                        came = len(follower.queue) or self._fetch()
                    if came < enough:
                        self._sleep(min(max(period_s / 2, _BREATH_S), _LOOK_S))
                while follower.queue:
                    yield follower.queue.popleft()
        finally:
            with self._lock:
                self._followers.remove(follower)
                self._stop()

    def _fetch(self) -> int:
        """Fetch what there is, and say how much it was."""
        if not self._watched or self._epoch() != self._began_in:
            self._begin()
        return self._take()

    def _take(self) -> int:
        answer = self._readings(self._next, _MOST)
        first, names, rows, end = (answer.get(key) for key in ("first", "names", "rows", "next"))
        if not (type(first) is type(end) is int and isinstance(names, list) and isinstance(rows, list)):
            raise _strange(answer)
        if end < self._next:  # it restarted, which nobody noticed yet
            self._watched, self._next = False, end
            self._miss(1)
            return 0
        self._miss(first - self._next)
        self._next = first + len(rows)
        by_place = [[follower for follower in self._followers if follower.name == name] for name in names]
        for row in rows:
            if not isinstance(row, list) or len(row) != 3 or row[1] not in range(len(by_place)):
                raise _strange(answer)
            for follower in by_place[row[1]]:
                follower.put(row[2], row[0])
        return len(rows)

    def _miss(self, count: int) -> None:
        for follower in self._followers:
            follower.missed += count

    def _begin(self) -> None:
        """Have all that is followed sampled, as often as the most impatient wants it."""
        names = sorted({follower.name for follower in self._followers})
        period_us = max(1, round(min(follower.period_s for follower in self._followers) * 1e6))
        if self._began_in == self._epoch():
            self._drain()
        try:
            answer = self._watch(names, period_us)
        except Restarted:
            answer = self._watch(names, period_us)
        if type(answer.get("next")) is not int:
            raise _strange(answer)
        if self._began_in == self._epoch():
            self._miss(max(answer["next"] - self._next, 0))  # what was sampled since is forgotten there
        elif self._began_in:
            self._miss(1)  # or more: what was sampled in the session before is lost
        self._began_in, self._next, self._watched = self._epoch(), answer["next"], True

    def _drain(self) -> None:
        """Fetch what was sampled for those who followed before: sampling anew forgets it."""
        for _ in range(_RING // _MOST):
            if not self._take():
                return

    def _stop(self) -> None:
        self._watched = False
        if not self._followers:
            try:
                self._watch([], 0)
            except BridgeError:  # what is no longer followed may well go on
                return


def _strange(answer: Mapping[str, Any]) -> BridgeError:
    return BridgeError(
        "The microcontroller's answer about its readings cannot be understood.",
        why=f"It was {dict(answer)!r:.200}",
        fix="edge bridge flash puts this version's firmware on it.",
    )
