"""Requests and answers over a port that may lose, double and delay them, and go away and come back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from firmware_bridge.error import BridgeClosed, BridgeError, BridgeTimeout
from firmware_bridge.lane import Answer, Lane, Waiting, older
from firmware_bridge.port import Port
from firmware_bridge.recorder import Recorder
from firmware_bridge.retry import RoundTrip
from firmware_bridge.statistic import Statistics
from firmware_bridge.wire.line import LineReader, lines
from firmware_bridge.wire.message import Message, decode_message, encode_message

__all__ = ["Link"]

logger = logging.getLogger("edge_sdk.bridge")

_ANSWER_BYTES = 8192
# How long one look at the port may take: so soon a request sees that it was given up, or the link closed.
_SLICE_S = 0.02
# How often the port is looked at while nobody waits for an answer, and how often a port that is gone is tried.
_IDLE_S, _AGAIN_S = 0.05, 0.1
_TIMEOUT_S = 5.0


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
    """

    def __init__(
        self,
        open_port: Callable[[], Port],
        greet: Callable[[], None] = lambda: None,
        *,
        recorder: Recorder | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_port, self._greet, self._clock = open_port, greet, clock
        self.recorder = recorder or Recorder()
        self.work, self.safety, self.greeting = self._lanes = Lane("work"), Lane("safety"), Lane("greeting")
        self.round_trip = RoundTrip()
        self._counted = Statistics()
        self._reader = LineReader(_ANSWER_BYTES)
        self._port: Port | None = None
        self._why_gone: BridgeError | None = None
        self._reading, self._changing = threading.Lock(), threading.Lock()
        self._up, self._stir = threading.Event(), threading.Event()
        self._closed = False
        self._newest: int | None = None  # clock in an answer
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed else "up" if self._up.is_set() else "down"
        return f"<link, {state}, {self._counted.answers} answers>"

    @property
    def is_up(self) -> bool:
        """Whether there is a port that was greeted."""
        return self._up.is_set()

    @property
    def statistics(self) -> Statistics:
        """What was counted so far."""
        counted = replace(self._counted, round_trip_s=self.round_trip.smoothed_s, dropped=dict(self._counted.dropped))
        _add_lines(counted, self._reader)
        return counted

    def connect(self) -> None:
        """Open the port and greet; raises what either raises."""
        self._check_open()
        port = self._open_port()
        with self._changing:
            _add_lines(self._counted, self._reader)
            self._reader, self._port = LineReader(_ANSWER_BYTES), port
        try:
            self._greet()
            self._check_open()
        except BaseException:
            self._drop(port)
            raise
        if self._port is port:
            self._up.set()

    def start(self) -> None:
        """Look after the port from now on: read what nobody waits for, and open it again when it is gone."""
        self._thread = threading.Thread(target=self._look_after, name="bridge-reader", daemon=True)
        self._thread.start()

    def request(
        self,
        op: int,
        group: int,
        command: int,
        body: Mapping[str, Any],
        *,
        lane: Lane | None = None,
        timeout_s: float = _TIMEOUT_S,
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
            Take the lane from a request that waits in it, which raises BridgeTimeout.
        patient : bool
            Wait for a port that is gone; else BridgeTimeout is raised at once.

        Raises
        ------
        BridgeTimeout
            If no answer came. It is not known then whether the request was received.
        BridgeClosed
            If the link was closed.
        """
        lane = lane or self.work
        end_s = self._clock() + timeout_s
        wait_end_s = end_s if patient else 0.0
        if not lane.lock.acquire(blocking=False):
            self._queue(lane, timeout_s, urgent)
        try:
            message = Message(op, group, command, lane.next(), dict(body))
            waiting = lane.waiting = Waiting(message, self._newest)
            self._counted.requests += 1
            return self._ask(lane, waiting, encode_message(message), end_s, wait_end_s)
        finally:
            lane.waiting = None
            lane.lock.release()

    def _queue(self, lane: Lane, timeout_s: float, urgent: bool) -> None:
        if urgent and (waiting := lane.waiting):
            waiting.given_up = True
            waiting.awake()
        if not lane.lock.acquire(timeout=timeout_s):
            self._counted.timeouts += 1
            raise BridgeTimeout(f"Another request took the {lane.name} lane for {timeout_s:g} s.", fix="Ask again.")

    def _ask(self, lane: Lane, waiting: Waiting, data: bytes, end_s: float, wait_end_s: float) -> Answer:
        frame, wait_s = lines(data), self.round_trip.timeout_s
        first_s = None
        while True:
            port = self._port if self._up.is_set() or lane is self.greeting else self._wait_up(waiting, wait_end_s)
            if port is None:
                raise self._no_answer(waiting)
            sent_s = self._clock()
            first_s = sent_s if first_s is None else first_s
            waiting.sends += 1
            self.recorder.sent((sent_s, data))
            if self._send(port, frame) and self._await(waiting, port, min(sent_s + wait_s, end_s)):
                return self._answered(waiting, first_s)
            if self._clock() >= end_s or waiting.given_up or self._closed:
                raise self._no_answer(waiting)
            if self._port is port:
                self._counted.retransmits += 1
                wait_s = self.round_trip.timed_out(wait_s)

    def _answered(self, waiting: Waiting, first_s: float) -> Answer:
        assert waiting.body is not None
        counted = self._counted
        counted.answers += 1
        took_s = waiting.received_s - first_s
        if waiting.sends == 1:
            self.round_trip.measured(took_s)
            if counted.least_round_trip_s is None or took_s < counted.least_round_trip_s:
                counted.least_round_trip_s = took_s
        return Answer(waiting.body, first_s, waiting.received_s, waiting.sends)

    def _send(self, port: Port, frame: bytes) -> bool:
        try:
            port.write(frame)
        except BridgeTimeout:  # what it did take is skipped over by the next line's mark
            return True
        except BridgeError as error:
            self._lost(port, error)
            return False
        return True

    def _await(self, waiting: Waiting, port: Port, until_s: float) -> bool:
        """Read until the answer is there, or let another thread that waits do so."""
        while waiting.body is None:
            left_s = until_s - self._clock()
            if left_s <= 0 or waiting.given_up or self._closed or self._port is not port:
                return False
            if self._reading.acquire(blocking=False):
                try:
                    while waiting.body is None and left_s > 0 and not waiting.given_up and self._port is port:
                        self._read(port, left_s if left_s < _SLICE_S else _SLICE_S)
                        if waiting.body is None:
                            left_s = until_s - self._clock()
                finally:
                    self._reading.release()
                    self._pass_on(waiting)
            else:
                waiting.wake.acquire(timeout=left_s)
        return True

    def _pass_on(self, done: Waiting) -> None:
        """Have the next one read, who waited while this one did."""
        for lane in self._lanes:
            waiting = lane.waiting
            if waiting is not None and waiting is not done and waiting.body is None:
                waiting.awake()

    def _read(self, port: Port, timeout_s: float) -> None:
        """Read once, and hand out what came; asked by who holds the reading lock."""
        try:
            data = port.read(timeout_s)
        except BridgeError as error:
            self._lost(port, error)
            return
        if data:
            for message in self._reader.feed(data):
                self._hand_out(message)

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
                if not waiting.believes(answer):
                    break
                self._note_clock(answer, waiting)
                waiting.received_s, waiting.body = now_s, answer.body
                waiting.awake()
                return
        else:
            self._counted.drop("unasked")
            return
        self._counted.drop("late")

    def _note_clock(self, answer: Message, waiting: Waiting) -> None:
        told = answer.body.get("t")
        if type(told) is int and (self._newest is None or waiting.suspect or older(self._newest, told)):
            self._newest = told & 0xFFFFFFFF

    def restarted(self) -> None:
        """Count a restart of the microcontroller, and take any clock of its as right from now on."""
        self._counted.restarts += 1
        self._newest = None

    def lapsed(self) -> None:
        """Count a lease that was let go."""
        self._counted.lapses += 1

    def _wait_up(self, waiting: Waiting, end_s: float) -> Port | None:
        while not self._closed and not waiting.given_up:
            left_s = end_s - self._clock()
            if left_s <= 0 or self._up.wait(min(left_s, _AGAIN_S)):
                break
        return self._port if self._up.is_set() else None

    def _no_answer(self, waiting: Waiting) -> BridgeError:
        if self._closed:
            return self._closed_error()
        if waiting.given_up:
            return BridgeTimeout("A more urgent request came between.", fix="Ask again.")
        self._counted.timeouts += 1
        if not self._up.is_set() and self._why_gone is not None:
            error = BridgeTimeout(
                "The port has not come back in time.", why=str(self._why_gone), fix="Plug it in again."
            )
            error.__cause__ = self._why_gone
            return error
        return BridgeTimeout(
            f"The microcontroller does not answer, asked {waiting.sends} times.",
            why="It hangs, runs another program, or the line loses too much.",
            fix="edge bridge monitor shows what comes. Unplug it and plug it in again.",
        )

    def _lost(self, port: Port, error: BridgeError) -> None:
        if self._port is port and not self._closed:
            logger.warning("The port is gone. %s", error)
            self._counted.disconnects += 1
            self._why_gone = error
        self._drop(port)

    def _drop(self, port: Port) -> None:
        with self._changing:
            if self._port is port:
                self._port = None
                self._up.clear()
        for lane in self._lanes:
            if waiting := lane.waiting:
                waiting.awake()
        self._stir.set()
        port.close()

    def _look_after(self) -> None:
        while not self._closed:
            self._stir.wait(_IDLE_S if self._up.is_set() else _AGAIN_S)
            self._stir.clear()
            if not self._closed:
                self.look()

    def look(self) -> None:
        """Read what nobody waits for, or try to open a port that is gone: what the link's thread does now and then."""
        port = self._port
        if port is None:
            try:
                self.connect()
            except BridgeError as error:
                self._why_gone = error
                self._stir.clear()
                logger.debug("Not back yet: %s", error)
            return
        if self._reading.acquire(blocking=False):
            try:
                self._read(port, 0)
            finally:
                self._reading.release()
            for lane in self._lanes:
                if waiting := lane.waiting:
                    waiting.awake()

    def close(self) -> None:
        """End every request and let go of the port, in bounded time; twice is harmless."""
        self._closed = True
        port = self._port
        if port is not None:
            self._drop(port)
        self._stir.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2)

    def _check_open(self) -> None:
        if self._closed:
            raise self._closed_error()

    def _closed_error(self) -> BridgeClosed:
        return BridgeClosed("The bridge was closed.", fix="Open it anew with open_bridge().")


def _add_lines(counted: Statistics, reader: LineReader) -> None:
    """Add what a reader of lines dropped."""
    for cause, count in reader.dropped.items():
        if count:
            counted.dropped[cause] = counted.dropped.get(cause, 0) + count
    counted.noise_bytes += reader.noise_bytes
