"""Whatever comes in is answered or counted, and nothing that comes in can hurt."""

from __future__ import annotations

import random

import pytest
from bench import SESSION

from firmware_bridge.firmware.error import TOO_LONG, UNKNOWN
from firmware_bridge.wire import number
from firmware_bridge.wire.line import lines
from firmware_bridge.wire.message import READ, READ_ANSWER, WRITE, Message, encode_message

EVERY_COMMAND = range(18)


def test_noise_between_messages_is_passed_over(bench):
    noise = b"rst:0x1 (POWERON_RESET)\r\n>>> import os\r\n\x06\x09garbage\n\x00\xff"
    (answer,) = bench.answers(noise + bench.request(number.CLOCK, {}))
    assert answer.command == number.CLOCK


def test_what_is_no_request_is_dropped_and_counted(bench):
    answer = encode_message(Message(READ_ANSWER, number.EDGE, number.CLOCK, 1, {}))
    for message in (b"", b"\x08", answer, answer[:-1] + b"\xff"):
        assert bench.server.receive(lines(message)) == b""
    assert bench.server.dropped == 4


def test_a_message_longer_than_the_buffer_is_dropped(bench):
    assert bench.answers(bench.request(number.ECHO, {"d": "a" * 1100}, WRITE, number.OS)) == []
    assert sum(bench.server.noise.values()) > 0
    assert "t" in bench.ask(number.CLOCK)


def test_no_answer_is_longer_than_the_buffer(bench):
    bench.open()
    bench.server.buffer_bytes = 200
    names = ["temperature", "humidity", "light", "door"]
    bench.do(number.WATCH, {"names": names, "us": 2000})
    bench.pass_us(100_000)
    for command, body in ((number.READINGS, {"from": 0, "most": 500}), (number.DICTIONARY, {"off": 0})):
        assert len(encode_message(Message(READ, 64, command, 1, bench.ask(command, body)))) <= 196
    assert bench.ask(number.ECHO, {"d": "a" * 300}, WRITE, number.OS) == {"rc": TOO_LONG}


def test_without_memory_there_is_an_answer_and_the_number_is_spent(bench, monkeypatch):
    bench.open()

    def none(*_):
        raise MemoryError

    monkeypatch.setattr(bench.server.machine.outputs, "set", none)
    first = bench.do(number.SET, {"name": "heater", "value": 1}, n=1)
    assert first["rc"] == 2
    monkeypatch.undo()
    assert bench.do(number.SET, {"name": "heater", "value": 1}, n=1) == first
    assert bench.parts.outputs["heater"].now == 0
    monkeypatch.setattr(bench.server.machine, "read", none)
    assert bench.ask(number.READ_VALUE, {"name": "light"})["rc"] == 2
    monkeypatch.setattr("firmware_bridge.firmware.server.decode_message", none)
    assert bench.server.receive(bench.request(number.CLOCK, {})) == b""


def test_a_fault_of_the_code_is_answered_and_the_rest_goes_on(bench, monkeypatch):
    monkeypatch.setattr(bench.server.machine, "read", lambda name: 1 / 0)
    assert bench.ask(number.READ_VALUE, {"name": "light"})["rc"] == UNKNOWN
    assert bench.server.failures == 1
    assert bench.ask(number.HELLO)["state"] == "idle"


@pytest.mark.parametrize("seed", range(4))
def test_random_requests_of_any_group_are_answered_or_counted(bench, seed):
    dice = random.Random(seed)
    bench.open(5000)
    pieces = [
        lambda: dice.choice(["/config.json", "/slot/a", "/slot/b", "light", "heater", "x", "w", "sha256"]),
        lambda: dice.randrange(-2, 300),
        lambda: dice.getrandbits(64),
        lambda: dice.uniform(-1e4, 1e4),
        lambda: dice.randbytes(dice.randrange(40)),
        lambda: dice.choice([None, True, [], {}, ["light", "x"], [1, 2, 3]]),
    ]
    keys = ["s", "n", "ms", "name", "value", "axis", "by", "to", "speed", "job", "names", "us", "from", "most", "off",
            "data", "len", "type", "crc", "slot", "sha", "pv", "of", "d"]  # fmt: skip
    for turn in range(400):
        body = {key: dice.choice(pieces)() for key in dice.sample(keys, dice.randrange(8))}
        if dice.random() < 0.7:
            body.update({"s": SESSION, "n": turn})
        group = dice.choice((number.EDGE, number.EDGE, number.FILE, number.OS, 5))
        assert isinstance(bench.ask(dice.randrange(20), body, dice.choice((READ, WRITE)), group), dict)
        bench.pass_us(dice.randrange(30_000), step_us=5000)
    for _ in range(200):
        bench.server.receive(dice.randbytes(dice.randrange(200)))
        bench.server.receive(lines(dice.randbytes(dice.randrange(200))))
    assert bench.server.failures == 0
    assert "t" in bench.answers(b"\n" + bench.request(number.CLOCK, {}))[0].body


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_whatever_a_request_holds_it_is_answered(bench, command):
    bench.open()
    junk = [None, True, -1, 1 << 63, 1.5, float("nan"), float("inf"), "x", b"x", [], [[]], {}, {"a": 1}]
    keys = ["s", "n", "ms", "name", "value", "axis", "by", "to", "speed", "job", "names", "us", "from", "most", "off",
            "crc", "slot", "len", "sha", "pv", "of"]  # fmt: skip
    for op in (READ, WRITE):
        for value in junk:
            body = dict.fromkeys(keys, value)
            assert isinstance(bench.ask(command, body, op), dict)
            body.update({"s": SESSION, "n": 10 + bench.sequence + 256 * junk.index(value)})
            assert isinstance(bench.ask(command, body, op), dict)
    assert bench.server.failures == 0


def test_a_flood_of_copies_is_answered_in_part_and_never_stop_or_the_lease(bench):
    bench.open(1000)
    stop = bench.request(number.STOP, {}, WRITE)
    hello = bench.request(number.HELLO, {})
    answers = bench.answers(hello * 40 + stop + hello * 40)
    assert [answer.command for answer in answers] == [number.STOP] + [number.HELLO] * 4
    assert bench.server.dropped == 76


def test_a_command_that_breaks_down_is_known_to_have_begun(bench, monkeypatch):
    bench.open()
    monkeypatch.setattr(bench.server.machine.outputs, "set", lambda *_: 1 / 0)
    body = {"name": "heater", "value": 1}
    assert bench.do(number.SET, body, n=1)["rc"] == UNKNOWN
    monkeypatch.undo()
    assert bench.do(number.SET, body, n=1)["rc"] == UNKNOWN
    assert bench.ask(number.SETTLE, {"s": SESSION, "n": 1, "of": "w"}, WRITE)["ran"] is True
    assert bench.parts.outputs["heater"].now == 0
