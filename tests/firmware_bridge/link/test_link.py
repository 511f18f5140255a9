from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from stand import Time, answer

from firmware_bridge.error import BridgeClosed, BridgeError, BridgeTimeout, PortGone
from firmware_bridge.link.link import Link
from firmware_bridge.wire.line import LineReader, lines
from firmware_bridge.wire.message import READ, WRITE, Message, decode_message, encode_message
from firmware_bridge.wire.number import CLOCK, EDGE, LEASE, NO_JOB, NO_SESSION, OLD, OS, SET


class Script:
    """A port whose other side is a function: from each message to what it says to that, now or later."""

    def __init__(self, time: Time, say: Callable[[Message], list[tuple[float, Message | bytes]]]) -> None:
        self.name = "script"
        self.sent: list[tuple[float, bytes]] = []
        self._time, self._say = time, say
        self._lines = LineReader(4096)
        self._coming: list[tuple[float, bytes]] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        if self.closed:
            raise PortGone("script is gone.")
        self.sent.append((self._time.now_s, data))
        for message in self._lines.feed(data):
            for delay_s, said in self._say(decode_message(message)):
                told = said if isinstance(said, bytes) else lines(encode_message(said))
                self._coming.append((self._time.now_s + delay_s, told))
        self._coming.sort(key=lambda item: item[0])

    def read(self, timeout_s: float) -> bytes:
        if self.closed:
            raise PortGone("script is gone.")
        end_s = self._time.now_s + timeout_s
        if self._coming and self._coming[0][0] <= end_s:
            at_s, data = self._coming.pop(0)
            self._time.now_s = max(self._time.now_s, at_s)
            return data
        self._time.now_s = end_s
        return b""

    def close(self) -> None:
        self.closed = True


def linked(say: Callable[[Message], list[tuple[float, Message | bytes]]]) -> tuple[Link, Script, Time]:
    time = Time()
    port = Script(time, say)
    link = Link(lambda: port, clock=time)
    link.connect()
    return link, port, time


def test_an_answer_is_matched_and_its_times_are_told() -> None:
    link, _port, _time = linked(lambda asked: [(0.003, answer(asked, t=5))])
    got = link.request(READ, EDGE, CLOCK, {})
    assert got.body == {"t": 5}
    assert got.received_s - got.sent_s == pytest.approx(0.003)
    assert got.sends == 1
    assert link.statistics.round_trip_s == pytest.approx(0.003)


def test_what_is_not_answered_is_sent_again_byte_for_byte_after_twice_as_long_each_time() -> None:
    link, port, _time = linked(lambda asked: [])
    with pytest.raises(BridgeTimeout, match="does not answer, asked 7 times"):
        link.request(WRITE, EDGE, SET, {"name": "heater"}, timeout_s=7)
    assert len({data for _, data in port.sent}) == 1
    waits = [after - before for (before, _), (after, _) in zip(port.sent, port.sent[1:], strict=False)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2], rel=0.01)
    assert link.statistics.timeouts == 1


def test_the_safety_lane_asks_again_soon_however_much_is_lost() -> None:
    link, port, _time = linked(lambda asked: [])
    with pytest.raises(BridgeTimeout):
        link.request(WRITE, EDGE, LEASE, {}, lane=link.safety, timeout_s=1)
    assert len(port.sent) == 10


def test_after_a_few_answers_the_first_try_is_given_25_ms() -> None:
    quiet: list[bool] = []
    link, port, _time = linked(lambda asked: [] if quiet else [(0.001, answer(asked))])
    for _ in range(20):
        link.request(READ, EDGE, CLOCK, {})
    quiet.append(True)
    port.sent.clear()
    with pytest.raises(BridgeTimeout):
        link.request(READ, EDGE, CLOCK, {}, timeout_s=1)
    assert port.sent[1][0] - port.sent[0][0] == pytest.approx(0.025, abs=0.001)


def test_a_way_that_became_longer_than_the_time_out_is_learnt() -> None:
    delay_s = [0.001]
    link, port, _time = linked(lambda asked: [(delay_s[0], answer(asked))])
    for _ in range(20):
        link.request(READ, EDGE, CLOCK, {})
    delay_s[0] = 0.3
    for _ in range(10):
        link.request(READ, EDGE, CLOCK, {})
    port.sent.clear()
    link.request(READ, EDGE, CLOCK, {})
    assert len(port.sent) == 1


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (lambda asked: Message(asked.op + 1, OS, asked.command, asked.sequence, {}), "unasked"),
        (lambda asked: Message(asked.op + 1, asked.group, SET, asked.sequence, {}), "unasked"),
        (lambda asked: Message(asked.op + 1, asked.group, asked.command, asked.sequence ^ 1, {}), "unasked"),
        (lambda asked: Message(WRITE, asked.group, asked.command, asked.sequence, {}), "unasked"),
        (lambda asked: lines(b"\x01\x00\x00\x00no message"), "message"),
        (lambda asked: b"\x06\x09AAAA????\n", "base64"),
        (lambda asked: b"\x06\x09AAVhYmOd1h==\n", "base64"),
    ],
)
def test_any_other_answer_is_dropped_and_counted(wrong: Callable[[Message], Message | bytes], cause: str) -> None:
    link, _port, _time = linked(lambda asked: [(0.001, wrong(asked)), (0.002, answer(asked, ok=True))])
    assert link.request(READ, EDGE, CLOCK, {}).body == {"ok": True}
    assert link.statistics.dropped == {cause: 1}


def test_an_answer_that_comes_twice_and_late_disturbs_nothing() -> None:
    link, _port, _time = linked(
        lambda asked: [(0.001, answer(asked, n=asked.sequence)), (0.0015, answer(asked)), (0.2, answer(asked))]
    )
    for number in range(600):
        assert link.request(READ, EDGE, CLOCK, {}).body == {"n": number & 0xFF}


def test_an_answer_of_256_requests_ago_is_known_by_its_clock() -> None:
    ticks = [100]

    def say(asked: Message) -> list[tuple[float, Message | bytes]]:
        ticks[0] += 1000
        told = answer(asked, t=ticks[0], value=ticks[0])
        late = ticks[0] == 1100
        return [(0.001, told), (0.001 * 256 + 0.0001, told)] if late else [(0.001, told)]

    link, _port, _time = linked(say)
    for number in range(1, 300):
        assert link.request(READ, EDGE, CLOCK, {}).body["value"] == 100 + 1000 * number
    assert sum(link.statistics.dropped.values()) == 1


def test_a_clock_that_began_anew_is_believed_when_it_is_told_twice() -> None:
    ticks = itertools.chain([1_000_000], itertools.count(5))
    link, port, _time = linked(lambda asked: [(0.001, answer(asked, t=next(ticks)))])
    link.request(READ, EDGE, CLOCK, {})
    assert link.request(READ, EDGE, CLOCK, {}).body == {"t": 6}
    assert len(port.sent) == 3
    link.request(READ, EDGE, CLOCK, {})
    assert len(port.sent) == 4


@pytest.mark.parametrize("rc", [NO_SESSION, NO_JOB])
def test_that_a_session_or_a_job_is_not_known_is_believed_at_once_whatever_its_clock(rc: int) -> None:
    ticks: list[dict[str, Any]] = [{"t": 1_000_000}]
    link, port, _time = linked(lambda asked: [(0.001, answer(asked, **ticks[0]))])
    link.request(READ, EDGE, CLOCK, {})
    ticks[0] = {"t": 5, "err": {"group": EDGE, "rc": rc}}
    assert "err" in link.request(READ, EDGE, CLOCK, {}).body
    assert len(port.sent) == 2


def test_an_error_of_256_requests_ago_is_not_taken_for_one_of_a_command_that_ran() -> None:
    right, wrong = {"t": 1_000_000}, {"t": 5, "err": {"group": EDGE, "rc": OLD}}

    def say(asked: Message) -> list[tuple[float, Message | bytes]]:
        late = (0.001, answer(asked, **wrong))
        return [late, late, (0.002, answer(asked, **right))]

    link, _port, _time = linked(say)
    link._newest = 500_000
    assert link.request(WRITE, EDGE, SET, {}).body == right
    assert link.statistics.dropped["late"] == 2


def test_what_fails_while_greeting_closes_the_port() -> None:
    time = Time()
    port = Script(time, lambda asked: [])

    def greet() -> None:
        raise BridgeError("not you")

    link = Link(lambda: port, greet, clock=time)
    with pytest.raises(BridgeError, match="not you"):
        link.connect()
    assert port.closed
    assert not link.is_up


def test_a_closed_link_says_so() -> None:
    link, port, _time = linked(lambda asked: [(0.001, answer(asked))])
    link.close()
    link.close()
    assert port.closed
    with pytest.raises(BridgeClosed):
        link.request(READ, EDGE, CLOCK, {})
    with pytest.raises(BridgeClosed):
        link.connect()


def test_an_impatient_request_does_not_wait_for_a_port_that_is_gone() -> None:
    link, port, time = linked(lambda asked: [])
    port.closed = True
    link.look()
    before_s = time.now_s
    with pytest.raises(BridgeTimeout, match="port has not come back"):
        link.request(READ, EDGE, CLOCK, {}, patient=False)
    assert time.now_s == before_s


def test_a_greeting_that_nobody_thought_of_is_no_end_of_trying() -> None:
    time = Time()
    faults = [ValueError("what was told cannot be read")]

    def greet() -> None:
        if faults:
            raise faults.pop()

    link = Link(lambda: Script(time, lambda asked: []), greet, clock=time)
    link.look()
    assert "cannot be read" in str(link._connection.why_gone)
    link.look()
    assert link.is_up
