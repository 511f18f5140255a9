"""What a server answers, in which order, and what it refuses."""

from __future__ import annotations

import json
import zlib
from hashlib import sha256

import pytest
from bench import SESSION, Bench

from firmware_bridge.firmware.error import NOT_SUPPORTED
from firmware_bridge.wire import number
from firmware_bridge.wire.message import READ, WRITE


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


def test_a_digital_output_is_set_to_a_whole_number(bench):
    bench.open()
    for value in (1.0, True):
        assert bench.do(number.SET, {"name": "fan", "value": value})["value"] == 1
        assert type(bench.parts.outputs["fan"].now) is int


def test_a_value_that_has_no_place_in_an_answer_is_an_error_and_all_goes_on(bench):
    bench.parts.sensors["light"].value = 1 << 70
    assert bench.ask(number.READ_VALUE, {"name": "light"}) == {"rc": 1}
    assert bench.server.failures == 1
    assert bench.ask(number.READ_VALUE, {"name": "door"})["value"] == 21.5
