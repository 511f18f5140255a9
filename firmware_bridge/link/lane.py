"""A lane of requests: one outstanding at a time, with its answer matched to it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from firmware_bridge.wire.message import Message
from firmware_bridge.wire.number import NO_JOB, NO_SESSION

__all__ = ["Answer", "Lane", "Numbers", "Waiting", "older"]

_HALF = 1 << 31
_FORGOTTEN = (NO_SESSION, NO_JOB)  # what a microcontroller says that has restarted


class Answer:
    """What came back.

    Attributes
    ----------
    body : dict
        As it was answered.
    sent_s, received_s : float
        When the request was first sent, and when the answer was there.
    sends : int
        How often the request was sent.
    """

    __slots__ = ("body", "received_s", "sends", "sent_s")

    def __init__(self, body: Mapping[str, Any], sent_s: float, received_s: float, sends: int) -> None:
        self.body, self.sent_s, self.received_s, self.sends = body, sent_s, received_s, sends


class Waiting:
    """A request that has no answer yet.

    Attributes
    ----------
    after : int or None
        The newest clock that an answer had when this was asked: one that is older was not made for it.
    urgent : bool
        Whether it keeps the lane from others that are.
    given_up : bool
        True when somebody more urgent wants the lane.
    suspect : int or None
        The clock of an answer that was not believed.
    """

    __slots__ = ("_wake", "after", "body", "given_up", "message", "received_s", "sends", "suspect", "urgent")

    def __init__(self, message: Message, after: int | None, *, urgent: bool = False) -> None:
        self.message, self.after, self.urgent = message, after, urgent
        self.body: Mapping[str, Any] | None = None
        self.received_s = 0.0
        self.sends = 0
        self.suspect: int | None = None
        self.given_up = False
        self._wake: threading.Event | None = None

    def asleep(self) -> threading.Event:
        """Give what to wait for while another thread reads; look again before waiting for it."""
        if self._wake is None:
            self._wake = threading.Event()
        self._wake.clear()
        return self._wake

    def awake(self) -> None:
        """Have the thread that waits look again, where it does not read itself."""
        if self._wake is not None:
            self._wake.set()

    def takes(self, answer: Message) -> bool:
        """Say whether this is the answer's request."""
        asked = self.message
        return (
            self.body is None
            and answer.sequence == asked.sequence
            and answer.command == asked.command
            and answer.group == asked.group
            and answer.op == asked.op + 1
        )

    def believes(self, told: int, answer: Message) -> bool:
        """Say by its clock whether an answer was made for this request, not for one of 256 requests ago that came late.

        A clock that goes back may also be that of a microcontroller which restarted: that it knows no such session or
        job is believed at once, and any other answer when it happens again after the request was sent once more.
        """
        if self.after is None or not older(told, self.after):
            return True
        error = answer.body.get("err")
        if isinstance(error, dict) and error.get("rc") in _FORGOTTEN:
            return True
        believed = self.suspect not in (None, told) and self.sends > 1
        self.suspect = told
        return believed


class Lane:
    """One of the lanes of a link.

    Attributes
    ----------
    lock : lock
        Held by who has a request in it.
    waiting : Waiting or None
        That request.
    """

    __slots__ = ("lock", "name", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.Lock()
        self.waiting: Waiting | None = None


class Numbers:
    """The numbers of a lane's commands; locked while one runs, so that they are sent in order."""

    __slots__ = ("lane", "lock", "newest", "of")

    def __init__(self, lane: Lane, of: str) -> None:
        self.lane, self.of, self.newest = lane, of, 0
        self.lock = threading.Lock()


def older(one: int, other: int) -> bool:
    """Say whether a clock of 32 bits is before another, within half its range.

    Examples
    --------
    >>> older(4294967290, 5), older(5, 4294967290), older(7, 7)
    (True, False, False)
    """
    return (one - other) & 0xFFFFFFFF >= _HALF
