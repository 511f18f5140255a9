"""A link that several threads use: nobody waits behind what is less urgent, and closing ends all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from stand import answer

from firmware_bridge.error import BridgeClosed, BridgeTimeout, PortGone
from firmware_bridge.link.link import Link
from firmware_bridge.wire.line import LineReader, lines
from firmware_bridge.wire.message import READ, WRITE, Message, decode_message, encode_message
from firmware_bridge.wire.number import CLOCK, ECHO, EDGE, LEASE, OS, SET, STOP


class Held:
    """A port in real time: what it is asked is answered when the test says so."""

    def __init__(self) -> None:
        self.name = "held"
        self.asked = threading.Semaphore(0)
        self.messages: list[Message] = []
        self._lines = LineReader(4096)
        self._there = threading.Condition()
        self._coming = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        for message in self._lines.feed(data):
            self.messages.append(decode_message(message))
            self.asked.release()

    def say(self, message: Message) -> None:
        with self._there:
            self._coming += lines(encode_message(message))
            self._there.notify_all()

    def read(self, timeout_s: float) -> bytes:
        with self._there:
            self._there.wait_for(lambda: self._coming or self.closed, timeout_s)
            if self.closed:
                raise PortGone("held is gone.")
            data, self._coming = self._coming, b""
            return data

    def close(self) -> None:
        with self._there:
            self.closed = True
            self._there.notify_all()


class Asking(threading.Thread):
    """A request in a thread of its own."""

    def __init__(self, ask: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._ask = ask
        self.result: object = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._ask()
        except BaseException as error:
            self.result = error

    def done(self) -> object:
        self.join(timeout=10)
        assert not self.is_alive(), "wedged"
        return self.result


@pytest.fixture
def held() -> tuple[Link, Held]:
    port = Held()
    link = Link(lambda: port)
    link.connect()
    return link, port


def test_a_stop_does_not_wait_behind_a_command(held: tuple[Link, Held]) -> None:
    link, port = held
    command = Asking(lambda: link.request(WRITE, EDGE, SET, {}, timeout_s=60).body)
    port.asked.acquire()
    stop = Asking(lambda: link.request(WRITE, EDGE, STOP, {}, lane=link.safety, timeout_s=60).body)
    while not any(message.command == STOP for message in port.messages):
        port.asked.acquire()
    told = next(message for message in port.messages if message.command == STOP)
    port.say(answer(told, state="live"))
    assert stop.done() == {"state": "live"}
    assert command.is_alive()
    port.say(answer(port.messages[0], value=1))
    assert command.done() == {"value": 1}
    link.close()


def test_a_stop_takes_the_lane_from_a_lease_that_waits(held: tuple[Link, Held]) -> None:
    link, port = held
    lease = Asking(lambda: link.request(WRITE, EDGE, LEASE, {}, lane=link.safety, timeout_s=60))
    port.asked.acquire()
    stop = Asking(lambda: link.request(WRITE, EDGE, STOP, {}, lane=link.safety, timeout_s=60, urgent=True).body)
    while not any(message.command == STOP for message in port.messages):
        port.asked.acquire()
    port.say(answer(port.messages[-1], state="live"))
    assert stop.done() == {"state": "live"}
    assert isinstance(lease.done(), BridgeTimeout)
    link.close()


def test_a_stop_is_not_given_up_for_another_stop(held: tuple[Link, Held]) -> None:
    link, port = held

    def stop(axis: str) -> Asking:
        def ask() -> object:
            return link.request(WRITE, EDGE, STOP, {"axis": axis}, lane=link.safety, timeout_s=60, urgent=True).body

        return Asking(ask)

    first = stop("x")
    port.asked.acquire()
    second = stop("y")
    second.join(timeout=0.2)
    port.say(answer(port.messages[0], state="live"))
    assert first.done() == {"state": "live"}
    while not any(message.body == {"axis": "y"} for message in port.messages):
        port.asked.acquire()
    port.say(answer(port.messages[-1], state="idle"))
    assert second.done() == {"state": "idle"}
    link.close()


def test_closing_ends_requests_of_other_threads(held: tuple[Link, Held]) -> None:
    link, port = held
    link.start()
    asking = [Asking(lambda: link.request(READ, EDGE, CLOCK, {}, timeout_s=60)) for _ in range(3)]
    port.asked.acquire()
    before_s = time.monotonic()
    link.close()
    assert time.monotonic() - before_s < 3
    results = [one.done() for one in asking]
    assert all(isinstance(result, BridgeClosed) for result in results)


def test_many_threads_get_their_own_answers(held: tuple[Link, Held]) -> None:
    link, port = held
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            if port.asked.acquire(timeout=0.1):
                asked = port.messages.pop(0)
                port.say(answer(asked, r=asked.body["d"]))

    server = Asking(serve)
    link.start()

    def ask(name: str, lane: Any) -> bool:
        return all(
            link.request(WRITE, OS, ECHO, {"d": f"{name}{number}"}, lane=lane).body["r"] == f"{name}{number}"
            for number in range(100)
        )

    lanes = [link.work, link.safety, link.work, link.safety]
    asking = [Asking(partial(ask, f"t{number}-", lane)) for number, lane in enumerate(lanes)]
    assert [one.done() for one in asking] == [True] * 4
    ended.set()
    server.done()
    link.close()


def test_a_port_that_comes_back_is_used_again_and_requests_wait_for_it() -> None:
    ports: list[Held] = []

    def open_port() -> Held:
        if len(ports) == 1 and not again.is_set():
            raise PortGone("not yet")
        ports.append(Held())
        return ports[-1]

    again = threading.Event()
    link = Link(open_port)
    link.connect()
    link.start()
    asking = Asking(lambda: link.request(READ, EDGE, CLOCK, {}, timeout_s=60).body)
    ports[0].asked.acquire()
    ports[0].close()
    again.set()
    while len(ports) < 2:
        threading.Event().wait(0.01)
    ports[1].asked.acquire()
    assert encode_message(ports[1].messages[0]) == encode_message(ports[0].messages[0])
    ports[1].say(answer(ports[1].messages[0], t=1))
    assert asking.done() == {"t": 1}
    assert link.statistics.disconnects == 1
    link.close()
