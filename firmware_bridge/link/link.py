"""Requests and answers over a port that may lose, double and delay them, and go away and come back."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from firmware_bridge.error import BridgeError, BridgeTimeout, Refused
from firmware_bridge.link.connection import SLICE_S, Connection
from firmware_bridge.link.lane import Answer, Lane, Waiting, older
from firmware_bridge.link.recorder import Recorder
from firmware_bridge.link.retry import MOST_S, SAFETY_S, RoundTrip
from firmware_bridge.link.statistic import Statistics
from firmware_bridge.port.port import Port
from firmware_bridge.wire.line import AROUND_BYTES, lines
from firmware_bridge.wire.message import Message, decode_message, encode_message

__all__ = ["TIMEOUT_S", "Link"]

TIMEOUT_S = 10.0
"""How long a request may take, unless said otherwise: nine tries on a fast line."""
_LEAST_TRIES = 4  # within the time of a request, however long answers took lately


class Link:
    """Asks, asks again, and matches answers; whoever waits reads the port, so that no thread stands in between.

    Parameters
    ----------
    open_port : function
        Opens the port; called again when it was gone.
    greet : function
        Called in a thread of the link whenever a port was opened, before anybody else may ask; it asks in the lane
        `greeting`. What it raises closes the port again.
    recorder, clock
        See `Recorder`; monotonic seconds.

    Attributes
    ----------
    work, safety, greeting : Lane
        For `request`.
    statistics : Statistics
        What was counted.
    most_bytes : int
        The longest packet that the other side takes, as it announces it.
    """

    def __init__(
        self,
        open_port: Callable[[], Port],
        greet: Callable[[], None] = lambda: None,
        *,
        recorder: Recorder | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.recorder = recorder or Recorder()
        self.work, self.safety, self.greeting = self._lanes = Lane("work"), Lane("safety"), Lane("greeting")
        self._sequence = itertools.count()  # shared, so that no answer fits requests of two lanes
        self.round_trip = RoundTrip()
        self._counted = Statistics()
        self._connection = Connection(open_port, greet, self._hand_out, self._awake, self._counted)
        self._newest: int | None = None  # clock in an answer
        self.most_bytes = 0xFFFF
        self.connect, self.start, self.look = self._connection.open, self._connection.start, self._connection.look
        self.close = self._connection.close

    def __repr__(self) -> str:
        state = "closed" if self._connection.closed else "up" if self.is_up else "down"
        return f"<link, {state}, {self._counted.answers} answers>"

    @property
    def is_up(self) -> bool:
        """Whether there is a port that was greeted."""
        return self._connection.is_up

    @property
    def statistics(self) -> Statistics:
        """What was counted so far."""
        counted = replace(self._counted, round_trip_s=self.round_trip.smoothed_s, dropped=dict(self._counted.dropped))
        self._connection.count_lines(counted)
        return counted

    def request(
        self,
        op: int,
        group: int,
        command: int,
        body: Mapping[str, Any],
        *,
        lane: Lane | None = None,
        timeout_s: float = TIMEOUT_S,
        urgent: bool = False,
        patient: bool = True,
    ) -> Answer:
        """Ask until there is an answer.

        Parameters
        ----------
        op, group, command, body
            As in `Message`.
        lane : Lane
            The work lane, unless said otherwise.
        timeout_s : float
            How long for all tries together, and for the port to come back.
        urgent : bool
            Take the lane from a request that waits in it and is not urgent, which raises BridgeTimeout.
        patient : bool
            Wait for a port that is gone; else BridgeTimeout is raised at once.

        Raises
        ------
        BridgeTimeout
            If no answer came. It is not known then whether the request was received.
        Refused
            If it is longer than the other side takes, which would drop it without a word.
        BridgeClosed
            If the link was closed.
        """
        lane = lane or self.work
        end_s = self._clock() + timeout_s
        wait_end_s = end_s if patient else 0.0
        if not lane.lock.acquire(False):
            self._queue(lane, timeout_s, urgent)
        try:
            message = Message(op, group, command, next(self._sequence) & 0xFF, body)  # type: ignore[arg-type]  # it is only read
            data = self._encoded(message)
            waiting = lane.waiting = Waiting(message, self._newest, urgent=urgent)
            self._counted.requests += 1
            return self._ask(lane, waiting, data, end_s, wait_end_s)
        finally:
            lane.waiting = None
            lane.lock.release()

    def _encoded(self, message: Message) -> bytes:
        data = encode_message(message)
        if len(data) + AROUND_BYTES > self.most_bytes:
            raise Refused(
                f"A request of {len(data) + AROUND_BYTES} bytes was not sent.",
                why=f"The microcontroller takes {self.most_bytes} at most.",
                fix="Ask for less at once: a shorter text, or fewer or shorter names.",
            )
        return data

    def _queue(self, lane: Lane, timeout_s: float, urgent: bool) -> None:
        if urgent and (waiting := lane.waiting) and not waiting.urgent:
            waiting.given_up = True
            waiting.awake()
        if not lane.lock.acquire(timeout=timeout_s):
            self._counted.timeouts += 1
            raise BridgeTimeout(f"Another request took the {lane.name} lane for {timeout_s:g} s.", fix="Ask again.")

    def _ask(self, lane: Lane, waiting: Waiting, data: bytes, end_s: float, wait_end_s: float) -> Answer:
        connection, frame = self._connection, lines(data)
        wait_s = min(self.round_trip.timeout_s, (end_s - self._clock()) / _LEAST_TRIES)
        # What keeps things safe is asked again soon, however much the line loses.
        longest_s = max(wait_s, SAFETY_S) if lane is self.safety else MOST_S
        first_s = None
        while True:
            is_up = connection.is_up or lane is self.greeting
            port = connection.port if is_up else self._wait_up(waiting, wait_end_s)
            if port is None:
                raise self._no_answer(waiting)
            sent_s = self._clock()
            first_s = sent_s if first_s is None else first_s
            waiting.sends += 1
            self.recorder.sent((sent_s, data))
            if self._send(port, frame) and self._await(waiting, port, min(sent_s + wait_s, end_s)):
                return self._answered(waiting, first_s, sent_s, wait_s)
            if self._clock() >= end_s or waiting.given_up or connection.closed:
                raise self._no_answer(waiting)
            if connection.port is port:
                self._counted.retransmits += 1
                wait_s = min(2 * wait_s, longest_s)

    def _answered(self, waiting: Waiting, first_s: float, last_s: float, wait_s: float) -> Answer:
        assert waiting.body is not None
        counted = self._counted
        counted.answers += 1
        took_s = waiting.received_s - first_s
        if waiting.sends == 1:
            self.round_trip.measured(took_s)
            if counted.least_round_trip_s is None or took_s < counted.least_round_trip_s:
                counted.least_round_trip_s = took_s
        else:
            self.round_trip.unmeasured(wait_s, waiting.received_s - last_s)
        return Answer(waiting.body, first_s, waiting.received_s, waiting.sends)

    def _send(self, port: Port, frame: bytes) -> bool:
        try:
            port.write(frame)
        except BridgeTimeout:  # what it did take is skipped over by the next line's mark
            return True
        except BridgeError as error:
            self._connection.lost(port, error)
            return False
        return True

    def _await(self, waiting: Waiting, port: Port, until_s: float) -> bool:
        """Read until the answer is there, or let another thread that waits do so."""
        connection, wake = self._connection, None
        while waiting.body is None:
            left_s = until_s - self._clock()
            if left_s <= 0 or waiting.given_up or connection.port is not port:
                return False
            if connection.reading.acquire(False):
                try:
                    connection.read(port, left_s if left_s < SLICE_S else SLICE_S)
                finally:
                    connection.reading.release()
                    self._awake(waiting)
            elif wake is None:
                wake = waiting.asleep()  # look again first: the other one may have just stopped
            else:
                wake.wait(left_s)
                wake = None
        return True

    def _awake(self, done: Waiting | None = None) -> None:
        """Have those who wait look again: one of them is to read now."""
        for lane in self._lanes:
            waiting = lane.waiting
            if waiting is not None and waiting is not done:
                waiting.awake()

    def _hand_out(self, data: bytes) -> None:
        now_s = self._clock()
        self.recorder.received((now_s, data))
        try:
            answer = decode_message(data)
        except ValueError:
            self._counted.drop("message")
            return
        for lane in self._lanes:
            waiting = lane.waiting
            if waiting is not None and waiting.takes(answer):
                told = answer.body.get("t")
                if type(told) is int:
                    if not waiting.believes(told, answer):
                        self._counted.drop("late")
                        return
                    if self._newest is None or waiting.suspect is not None or older(self._newest, told):
                        self._newest = told & 0xFFFFFFFF
                waiting.received_s, waiting.body = now_s, answer.body
                waiting.awake()
                return
        self._counted.drop("unasked")

    def restarted(self) -> None:
        """Count a restart of the microcontroller, and take any clock of its as right from now on."""
        self._counted.restarts += 1
        self._newest = None

    def _wait_up(self, waiting: Waiting, end_s: float) -> Port | None:
        connection = self._connection
        while not connection.closed and not waiting.given_up:
            left_s = end_s - self._clock()
            if left_s <= 0 or connection.up.wait(min(left_s, SLICE_S)):
                break
        return connection.port if connection.is_up else None

    def _no_answer(self, waiting: Waiting) -> BridgeError:
        connection = self._connection
        if connection.closed:
            return connection.closed_error()
        if waiting.given_up:
            error = BridgeTimeout("A more urgent request came between.", fix="Ask again.")
        elif not connection.is_up and connection.why_gone is not None:
            why = connection.why_gone.what
            error = BridgeTimeout("The port has not come back in time.", why=why, fix="Plug it in again.")
        else:
            error = BridgeTimeout(
                f"The microcontroller does not answer, asked {waiting.sends} times.",
                why="It hangs, runs another program, or the line loses too much.",
                fix="edge bridge monitor shows what comes. Unplug it and plug it in again.",
            )
        self._counted.timeouts += not waiting.given_up
        error.sends = waiting.sends
        return error
