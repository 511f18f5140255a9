"""What a server answers, in which order, and what it refuses."""

from __future__ import annotations

import json
import random
import zlib
from hashlib import sha256

import pytest
from bench import SESSION, Bench

from firmware_bridge.firmware.error import NOT_SUPPORTED, TOO_LONG, UNKNOWN
from firmware_bridge.wire import number
from firmware_bridge.wire.line import lines
from firmware_bridge.wire.message import READ, READ_ANSWER, WRITE, Message, encode_message

EVERY_COMMAND = range(18)


def test_hello_says_what_it_is_and_who_holds_it(bench):
    hello = bench.ask(number.HELLO)
    assert (hello["pv"], hello["board"], hello["name"], hello["id"]) == ([1, 1], "bench", "bench", b"\1\2\3")
    assert (hello["boot"], hello["state"], hello["lease"], hello["buf"]) == (7, "idle", 0, 1024)
    assert hello["cfg"] == zlib.crc32(bench.files.read("/config.json", 0, 9999))
    bench.open(1500)
    bench.pass_us(500_000)
    hello = bench.ask(number.HELLO)
    assert (hello["state"], hello["lease"], hello["t"]) == ("live", 1000, 500_000)


def test_the_dictionary_comes_in_pieces_and_has_the_hash_of_the_hello(bench):
    bench.server.buffer_bytes = 256
    pieces = bench.ask(number.DICTIONARY, {"off": 0})
    data, whole = pieces["data"], pieces["len"]
    while len(data) < whole:
        piece = bench.ask(number.DICTIONARY, {"off": len(data)})
        assert piece["off"] == len(data)
        assert "len" not in piece
        data += piece["data"]
    text = zlib.decompress(data, -15)
    assert len(text) == pieces["raw"]
    assert sha256(text).digest() == bench.ask(number.HELLO)["dict"]
    told = json.loads(text)
    assert set(told["axes"]["x"]) == {"unit", "least", "most", "step", "speed", "homes", "backlash"}
    assert told["outputs"]["laser"] == {
        "unit": "", "least": 0, "most": 0.5, "safe": 0, "lease_ms": 300, "kind": "analog",
    }  # fmt: skip
    assert told["lease_ms"] == 5000
    assert sorted(told["sensors"]) == ["door", "humidity", "light", "temperature"]


def test_group_0_echoes_tells_its_buffer_and_refuses_the_rest(bench):
    assert bench.ask(number.ECHO, {"d": "µ" * 50}, WRITE, number.OS) == {"r": "µ" * 50}
    assert bench.ask(number.PARAMETERS, {}, READ, number.OS) == {"buf_size": 1024, "buf_count": 1}
    assert bench.ask(number.ECHO, {"d": 5}, WRITE, number.OS) == {"rc": 3}
    assert bench.ask(number.ECHO, {"d": "a"}, READ, number.OS) == {"rc": NOT_SUPPORTED}
    assert bench.ask(4, {}, WRITE, number.OS) == {"rc": NOT_SUPPORTED}
    assert bench.ask(0, {}, READ, 1) == {"rc": NOT_SUPPORTED}


ERRORS = [
    ("no such command", 99, {}, WRITE, number.NO_COMMAND),
    ("read what is written", number.SET, {}, READ, number.NO_COMMAND),
    ("write what is read", number.HELLO, {}, WRITE, number.NO_COMMAND),
    ("another session", number.SET, {"s": 1, "n": 50, "name": "heater", "value": 1}, WRITE, number.NO_SESSION),
    ("no session", number.MOVE, {"n": 50}, WRITE, number.RANGE),
    ("no number", number.SET, {"s": SESSION, "name": "heater", "value": 1}, WRITE, number.RANGE),
    ("another session opens", number.OPEN, {"s": 2, "pv": [1, 1], "ms": 1000}, WRITE, number.HELD),
    ("no such output", number.SET, {"name": "oven", "value": 1}, None, number.NO_NAME),
    ("a sensor is set", number.SET, {"name": "light", "value": 1}, None, number.NO_NAME),
    ("a name that is none", number.SET, {"name": 5, "value": 1}, None, number.RANGE),
    ("too much", number.SET, {"name": "heater", "value": 1.01}, None, number.RANGE),
    ("too little", number.SET, {"name": "heater", "value": -0.01}, None, number.RANGE),
    ("no value", number.SET, {"name": "heater"}, None, number.RANGE),
    ("text for a value", number.SET, {"name": "heater", "value": "1"}, None, number.RANGE),
    ("nothing that can be compared", number.SET, {"name": "heater", "value": float("nan")}, None, number.RANGE),
    ("half on", number.SET, {"name": "fan", "value": 0.5}, None, number.RANGE),
    ("a colour of two parts", number.SET, {"name": "lamp", "value": [1, 2]}, None, number.RANGE),
    ("a part of a colour too large", number.SET, {"name": "lamp", "value": [1, 2, 256]}, None, number.RANGE),
    ("a number for a colour", number.SET, {"name": "lamp", "value": 1}, None, number.RANGE),
    ("no time", number.SET, {"name": "heater", "value": 1, "ms": 0}, None, number.RANGE),
    ("a lease of text", number.LEASE, {"s": SESSION, "n": 50, "ms": "1"}, WRITE, number.RANGE),
    ("stop an axis that is none", number.STOP, {"axis": "y"}, WRITE, number.NO_NAME),
    ("read nothing", number.READ_VALUE, {}, READ, number.NO_NAME),
    ("read a list", number.READ_VALUE, {"name": ["light"]}, READ, number.NO_NAME),
    ("move before it is homed", number.MOVE, {"axis": "x", "by": 1}, None, number.NOT_HOMED),
    ("move what is none", number.MOVE, {"axis": "y", "by": 1}, None, number.NO_NAME),
    ("move nowhere", number.MOVE, {"axis": "x"}, None, number.RANGE),
    ("move by and to", number.MOVE, {"axis": "x", "by": 1, "to": 1}, None, number.RANGE),
    ("move by text", number.MOVE, {"axis": "x", "by": "1"}, None, number.RANGE),
    ("home what is none", number.HOME, {"axis": "heater"}, None, number.NO_NAME),
    ("no such job", number.JOB, {"job": 5}, READ, number.NO_JOB),
    ("watch what is none", number.WATCH, {"names": ["light", "y"], "us": 1000}, None, number.NO_NAME),
    ("watch a colour", number.WATCH, {"names": ["lamp"], "us": 1000}, None, number.RANGE),
    ("watch too much", number.WATCH, {"names": ["light"] * 17, "us": 1000}, None, number.RANGE),
    ("watch backwards", number.WATCH, {"names": ["light"], "us": -1}, None, number.RANGE),
    ("readings of text", number.READINGS, {"from": "0", "most": 5}, READ, number.RANGE),
    ("readings of no number", number.READINGS, {"from": 0}, READ, number.RANGE),
    ("past the dictionary", number.DICTIONARY, {"off": 99999}, READ, number.RANGE),
    ("settle an odd lane", number.SETTLE, {"s": SESSION, "n": 1, "of": "x"}, WRITE, number.RANGE),
    ("settle for another", number.SETTLE, {"s": 1, "n": 1, "of": "w"}, WRITE, number.NO_SESSION),
    ("configure without a file", number.CONFIGURE, {"crc": 1}, None, number.CONFIG),
    ("update nothing", number.UPDATE, {"slot": "a", "len": 1, "sha": b""}, None, number.NOT_AS_ANNOUNCED),
    ("update what is none", number.UPDATE, {"slot": "c", "len": 1, "sha": b""}, None, number.NO_NAME),
]


@pytest.mark.parametrize(("command", "body", "op", "rc"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_what_cannot_be_done_is_refused_with_its_number(bench, command, body, op, rc):
    bench.open()
    answer = bench.do(command, body) if op is None else bench.ask(command, body, op)
    assert bench.rc(answer) == rc, answer
    assert answer["t"] == 0
    assert bench.server.failures == 0
    assert bench.parts.outputs["heater"].written == [0]


def test_without_a_common_protocol_no_session_opens(bench):
    answer = bench.ask(number.OPEN, {"s": 1, "pv": [2, 3], "ms": 1000}, WRITE)
    assert bench.rc(answer) == number.NO_PROTOCOL
    assert "[2, 3]" in answer["why"]
    assert bench.rc(bench.ask(number.OPEN, {"s": 1, "pv": [0, 9], "ms": 1000}, WRITE)) == 0


@pytest.mark.parametrize("pv", [None, [1], [1, "1"], "1", {}])
def test_a_range_of_protocols_that_is_none_is_refused(bench, pv):
    assert bench.rc(bench.ask(number.OPEN, {"s": 1, "pv": pv, "ms": 1000}, WRITE)) == number.RANGE


def test_the_safety_lane_goes_first_where_both_wait(bench):
    bench.open()
    work = bench.request(number.SET, {"s": SESSION, "n": 1, "name": "heater", "value": 1}, WRITE)
    lease = bench.request(number.LEASE, {"s": SESSION, "n": 1, "ms": 900}, WRITE)
    stop = bench.request(number.STOP, {}, WRITE)
    answers = bench.answers(work + lease + stop)
    assert [answer.command for answer in answers] == [number.LEASE, number.STOP, number.SET]
    assert bench.parts.outputs["heater"].now == 1


def test_stop_runs_without_a_session_without_a_lease_and_in_a_fault(bench):
    heater = bench.parts.outputs["heater"]
    assert bench.ask(number.STOP, {}, WRITE)["state"] == "idle"
    bench.open()
    bench.do(number.SET, {"name": "heater", "value": 1})
    heater.broken = True
    assert bench.ask(number.STOP, {}, WRITE)["state"] == "fault"
    heater.broken = False
    assert bench.ask(number.STOP, {"s": 1}, WRITE)["state"] == "fault"
    assert heater.now == 0


def test_stop_makes_outputs_safe_and_leaves_the_lease(bench):
    bench.open()
    bench.do(number.SET, {"name": "heater", "value": 1})
    bench.do(number.SET, {"name": "fan", "value": 0})
    assert bench.ask(number.STOP, {}, WRITE)["state"] == "live"
    assert (bench.parts.outputs["heater"].now, bench.parts.outputs["fan"].now) == (0, 1)
    assert bench.do(number.SET, {"name": "heater", "value": 0.5})["value"] == 0.5


def test_what_does_not_become_safe_is_a_fault_until_it_does(bench):
    heater = bench.parts.outputs["heater"]
    bench.open()
    bench.do(number.SET, {"name": "heater", "value": 1})
    heater.broken = True
    bench.pass_us(1_100_000)
    assert bench.ask(number.HELLO)["state"] == "fault"
    assert "cannot be made safe" in bench.ask(number.READ_VALUE, {"name": "heater"})["why"]
    assert bench.do(number.LEASE, {"ms": 1000})["state"] == "fault"
    refused = bench.do(number.SET, {"name": "lamp", "value": [1, 1, 1]})
    assert bench.rc(refused) == number.FAULT
    assert "heater" in refused["why"]
    assert bench.do(number.CLEAR)["state"] == "fault"
    heater.broken = False
    bench.pass_us(200_000)
    assert heater.now == 0
    assert bench.ask(number.HELLO)["state"] == "fault"
    assert bench.do(number.CLEAR)["state"] == "live"
    assert "why" not in bench.ask(number.READ_VALUE, {"name": "heater"})


def test_hardware_that_does_not_answer_is_told_and_stays_under_the_lease(bench):
    bench.open()
    heater = bench.parts.outputs["heater"]
    heater.broken = True
    answer = bench.do(number.SET, {"name": "heater", "value": 1})
    assert bench.rc(answer) == number.HARDWARE
    heater.broken = False
    heater.written.clear()
    bench.pass_us(1_100_000)
    assert heater.written[:1] == [0]
    bench.parts.sensors["light"].broken = True
    assert bench.rc(bench.ask(number.READ_VALUE, {"name": "light"})) == number.HARDWARE


def test_all_outputs_are_safe_from_the_start(bench):
    written = {name: output.written for name, output in bench.parts.outputs.items()}
    assert written == {"heater": [0], "lamp": [[0, 0, 0]], "fan": [1], "laser": [0]}


def test_sensors_outputs_and_axes_are_read_by_name(bench):
    bench.open()
    assert bench.ask(number.READ_VALUE, {"name": "temperature"})["value"] == 21.5
    assert bench.ask(number.READ_VALUE, {"name": "fan"})["value"] == 1
    assert bench.ask(number.READ_VALUE, {"name": "x"})["value"] is None


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


def test_reset_makes_all_safe_answers_and_wants_a_restart_a_tenth_of_a_second_later(bench):
    bench.open()
    bench.do(number.SET, {"name": "heater", "value": 1})
    assert bench.ask(number.RESET, {}, WRITE, number.OS) == {}
    assert bench.parts.outputs["heater"].now == 0
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1})) == number.NO_LEASE
    bench.pass_us(99_000)
    assert not bench.server.restart_wanted
    bench.pass_us(2_000)
    assert bench.server.restart_wanted


def test_close_makes_all_safe_and_twice_is_harmless(bench):
    bench.open()
    bench.do(number.SET, {"name": "heater", "value": 1})
    bench.home()
    bench.server.close()
    bench.server.close()
    assert bench.parts.outputs["heater"].now == 0
    assert not bench.parts.axes["x"].enabled


def test_the_watchdog_is_started_by_the_configuration_and_fed_by_polls(bench):
    assert bench.hardware.watchdog_ms == 8000
    fed = bench.hardware.fed
    bench.pass_us(10_000)
    assert bench.hardware.fed == fed + 10


def test_without_a_configuration_there_is_nothing_to_set(tmp_path):
    bench = Bench(str(tmp_path), wanted=None)
    hello = bench.ask(number.HELLO)
    assert (hello["cfg"], hello["name"], hello["state"]) == (0, "", "idle")
    bench.open()
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1})) == number.NO_NAME


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


def test_a_digital_output_is_set_to_a_whole_number(bench):
    bench.open()
    for value in (1.0, True):
        assert bench.do(number.SET, {"name": "fan", "value": value})["value"] == 1
        assert type(bench.parts.outputs["fan"].now) is int
