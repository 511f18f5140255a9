"""The loop that a microcontroller runs."""

from __future__ import annotations

import pytest
from bench import SESSION

from firmware_bridge.firmware.loop import run
from firmware_bridge.wire import number
from firmware_bridge.wire.message import WRITE


class Port:
    """A port that lets time pass when it is waited for, and breaks when there is nothing more to come."""

    def __init__(self, bench, *pieces) -> None:
        self.bench, self.pieces, self.written, self.waits = bench, list(pieces), b"", []

    def read(self, wait_ms):
        self.waits.append(wait_ms)
        self.bench.clock.now_us += 1000
        if not self.pieces:
            raise OSError("unplugged")
        return self.pieces.pop(0)

    def write(self, data):
        self.written += data


def test_it_answers_and_ends_when_a_restart_is_wanted(bench):
    port = Port(bench, b"", bench.request(number.RESET, {}, WRITE, number.OS), *[b""] * 200)
    run(bench.server, port, lambda seconds: None)
    assert len(bench.reader.feed(port.written)) == 1
    assert bench.server.restart_wanted
    assert 50 < len(port.pieces) < 150


def test_however_it_ends_everything_is_safe(bench):
    opening = bench.request(number.OPEN, {"s": SESSION, "pv": [1, 1], "ms": 1000}, WRITE)
    setting = bench.request(number.SET, {"s": SESSION, "n": 1, "name": "heater", "value": 1}, WRITE)
    with pytest.raises(OSError, match="unplugged"):
        run(bench.server, Port(bench, opening, setting), lambda seconds: None)
    assert bench.parts.outputs["heater"].written == [0, 1, 0]


def test_it_sleeps_only_between_fast_readings_and_waits_in_the_port_otherwise(bench):
    bench.open(5000)
    slept = []
    with pytest.raises(OSError, match="unplugged"):
        run(bench.server, port := Port(bench, b"", b""), slept.append)
    assert (port.waits, slept) == ([1, 1, 1], [])
    bench.start()
    bench.open(5000)
    bench.do(number.WATCH, {"names": ["light"], "us": 1000})
    with pytest.raises(OSError, match="unplugged"):
        run(bench.server, port := Port(bench, b"", b""), slept.append)
    assert (port.waits, slept) == ([0, 0, 0], [0.00005, 0.0009])
