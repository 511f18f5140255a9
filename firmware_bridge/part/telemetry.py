"""Readings from the microcontroller's ring, fetched by index and handed to all who follow them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from typing import Any

from firmware_bridge.error import BridgeError, BridgeTimeout, Restarted
from firmware_bridge.link.lane import Answer
from firmware_bridge.link.link import TIMEOUT_S
from firmware_bridge.part.sensor import Sample

__all__ = ["Telemetry"]

_MOST = 64  # readings in an answer; fewer come where its buffer holds no more
# A long answer is many lines, each of which a line may lose: after a loss half as many are asked for, and four more
# after each full answer that came at once, which settles where about as much is lost as is won.
_LEAST, _MORE = 4, 4
# For an answer, or so many times what the last one took, before fewer are asked for; then twice as long. The link sends
# the same request after ever longer waits, which is for a line that is slow: one that loses is asked anew.
_FIRST_S, _TIMES = 0.1, 4
_QUEUE = 4096
_FORGOTTEN = -1  # no epoch: what is in the ring is not asked for
_RING = 1024  # at least as many as a microcontroller keeps
_LOOK_S = 0.02  # longest pause before the ring is looked at again
# Of fast ones there is a pause after fewer rows than these: row by row a thousand a second would take all of the lane.
_ENOUGH, _BREATH_S = 16, 0.005
_OLD_S = 1800.0  # the clock wraps: of what nobody took for longer, nobody could say how old it is


class _Follower:
    """One who follows a name: `missed` were lost behind the last in its queue, and `lost` before the first."""

    __slots__ = ("_lock", "lost", "missed", "name", "period_s", "queue")

    def __init__(self, name: str, period_s: float) -> None:
        self.name, self.period_s, self.missed, self.lost = name, period_s, 0, 0
        self.queue: deque[tuple[Sample, float]] = deque()
        self._lock = threading.Lock()

    def put(self, value: Any, ticks_us: Any, within_us: Any, now_s: float) -> None:
        with self._lock:
            if len(self.queue) == _QUEUE:  # nobody takes them
                self._lose()
            self.queue.append((Sample(value, ticks_us, self.missed, within_us), now_s))
            self.missed = 0

    def take(self, now_s: float) -> Sample | None:
        """Give the first in the queue that is not too old."""
        with self._lock:
            while self.queue and now_s - self.queue[0][1] > _OLD_S:
                self._lose()
            if not self.queue:
                return None
            sample, _ = self.queue.popleft()
            lost, self.lost = self.lost, 0
            return sample._replace(missed=sample.missed + lost) if lost else sample

    def _lose(self) -> None:
        self.lost += 1 + self.queue.popleft()[0].missed


class Telemetry:
    """Has the microcontroller sample what is followed, and fetches it for whoever asks next.

    Parameters
    ----------
    watch : function
        Has names sampled every so many microseconds; 0 ends it.
    readings : function
        Gives readings from an index on, so many at most, within a time.
    epoch : function
        Counts the sessions: a new one knows nothing of what was sampled in the one before.
    sleep : function
        Waits until there may be more.
    clock : function
        Monotonic seconds.
    """

    def __init__(
        self,
        watch: Callable[[list[str], int], Mapping[str, Any]],
        readings: Callable[[int, int, float], Answer],
        epoch: Callable[[], int],
        sleep: Callable[[float], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch, self._readings, self._epoch, self._sleep, self._clock = watch, readings, epoch, sleep, clock
        self._lock = threading.Lock()
        self._followers: list[_Follower] = []
        self._next, self._most, self._behind = 0, _MOST, False
        self._watched = False
        self._began_in = 0
        self._took_s = 0.0
        self._fetched_s = 0.0

    def follow(self, name: str, period_s: float) -> Generator[Sample, None, None]:
        """Give one after the other.

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
                    if came < enough and not self._behind:
                        self._sleep(min(max(period_s / 2, _BREATH_S), _LOOK_S))
                while (taken := follower.take(self._clock())) is not None:
                    yield taken
        finally:
            with self._lock:
                self._followers.remove(follower)
                self._stop()

    def _fetch(self) -> int:
        """Fetch what there is, and say how much it was."""
        if self._watched and self._clock() - self._fetched_s > _OLD_S:
            self._watched, self._began_in = False, _FORGOTTEN
        if not self._watched or self._epoch() != self._began_in:
            self._begin()
        return self._take()

    def _take(self) -> int:
        answer = self._answer()
        self._fetched_s = now_s = self._clock()
        first, names, rows, end = (answer.get(key) for key in ("first", "names", "rows", "next"))
        if not (type(first) is type(end) is int and isinstance(names, list) and isinstance(rows, list)):
            raise _strange(answer)
        within_us = answer.get("within", [0] * len(names))  # an old firmware says nothing of it
        if not isinstance(within_us, list) or len(within_us) != len(names):
            raise _strange(answer)
        if end < self._next:  # it restarted, which nobody noticed yet
            self._watched, self._next = False, end
            self._miss(1)
            return 0
        self._miss(first - self._next)
        self._next = first + len(rows)
        self._behind = end > self._next
        by_place = [[follower for follower in self._followers if follower.name == name] for name in names]
        for row in rows:
            if not isinstance(row, list) or len(row) != 3 or not _is_place(row[1], by_place):
                raise _strange(answer)
            for follower in by_place[row[1]]:
                follower.put(row[2], row[0], within_us[row[1]], now_s)
        return len(rows)

    def _answer(self) -> Mapping[str, Any]:
        """Ask for as many readings as the line lets through; fewer when it loses."""
        end_s, wait_s = self._clock() + TIMEOUT_S, max(_FIRST_S, _TIMES * self._took_s)
        while True:
            most, left_s = self._most, end_s - self._clock()
            try:
                answer = self._readings(self._next, most, min(wait_s, left_s))
            except BridgeTimeout:
                if left_s <= wait_s:
                    raise
                self._most, wait_s = max(_LEAST, most // 2), 2 * wait_s
                continue
            rows, self._took_s = answer.body.get("rows"), answer.received_s - answer.sent_s
            if answer.sends > 1:
                self._most = max(_LEAST, most // 2)
            elif isinstance(rows, list) and len(rows) == most:
                self._most = min(_MOST, most + _MORE)
            return answer.body

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
        taken = 0
        while taken < _RING and (came := self._take()):
            taken += came

    def _stop(self) -> None:
        self._watched = False
        if not self._followers:
            try:
                self._watch([], 0)
            except BridgeError:  # what is no longer followed may well go on
                return


def _is_place(which: object, places: list[Any]) -> bool:
    return type(which) is int and 0 <= which < len(places)


def _strange(answer: Mapping[str, Any]) -> BridgeError:
    return BridgeError(
        "The microcontroller's answer about its readings cannot be understood.",
        why=f"It was {dict(answer)!r:.200}",
        fix="edge bridge flash puts this version's firmware on it.",
    )
