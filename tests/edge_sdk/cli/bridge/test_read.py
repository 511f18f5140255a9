from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from firmware_bridge.error import BridgeClosed, BridgeError, BridgeTimeout, Refused, UnknownName
from firmware_bridge.part.sensor import Sensor
from firmware_bridge.reading import Reading


def test_a_sensor_is_read_with_its_unit_and_time(run: Callable[..., Any]) -> None:
    told = json.loads(run("read", "temperature", "--port", "sim://", "--json").stdout)
    assert told["kind"] == "sensor"
    assert 15 < told["value"] < 30
    assert told["unit"] == "degC"
    assert abs(told["time"] - time.time()) < 60
    assert told["uncertainty_s"] > 0


def test_without_a_name_all_is_read(run: Callable[..., Any]) -> None:
    done = run("read", "--port", "sim://stage")
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert set(rows) == {"light", "lamp", "x", "y", "z"}
    assert rows["lamp"].endswith("its safe value")
    assert rows["x"].endswith("position unknown: home it")
    assert "give or take" in rows["light"]
    assert done.exit_code == 0


def test_watching_gives_as_many_readings_as_asked_for(run: Callable[..., Any]) -> None:
    done = run("read", "temperature", "humidity", "--watch", "--count", 6, "--json", "--port", "sim://")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 6
    assert {each["name"] for each in told} == {"temperature", "humidity"}
    times = [each["time"] for each in told if each["name"] == "temperature"]
    assert times == sorted(times)


def test_lines_for_people_have_the_time_first(run: Callable[..., Any]) -> None:
    lines = run("read", "door", "--watch", "--count", 2, "--port", "sim://").stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["door", "door"]
    assert all(len(line.split()[0]) == len("12:34:56.789") for line in lines)


def test_a_gap_is_shown_before_the_reading_after_it(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = time.monotonic()
    given = [Reading("door", 0, "", now_s, 0.001), Reading("door", 1, "", now_s + 1, 0.001, missed=7)]
    monkeypatch.setattr("edge_sdk.cli.bridge.read._stream", lambda *_: iter(given))
    lines = run("read", "door", "--watch", "--port", "sim://").stdout.splitlines()
    assert lines[1].strip() == "-- 7 lost before this one --"
    assert len(lines) == 3


def test_a_microcontroller_that_is_gone_for_a_while_leaves_a_gap_and_is_waited_for(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = iter([[20.0], [], [21.0, 22.0]])

    def stream(sensor: Sensor, period_s: float | None) -> Iterator[Reading]:
        values = next(streams, None)
        if values is None:
            raise BridgeClosed("The bridge was closed.")
        for value in values:
            yield Reading("door", value, "", time.monotonic(), 0.001)
        raise BridgeTimeout("The port has not come back in time.")

    monkeypatch.setattr(Sensor, "stream", stream)
    done = run("read", "door", "--watch", "--count", 3, "--json", "--port", "sim://")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["value"], each["missed"]) for each in told] == [(20.0, 0), (21.0, 1), (22.0, 0)]
    assert "edge: door: The port has not come back in time." in done.stderr


def test_what_does_not_come_back_ends_it(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def stream(sensor: Sensor, period_s: float | None) -> Iterator[Reading]:
        yield from ()
        raise Refused("Sampling sensors was refused.")

    monkeypatch.setattr(Sensor, "stream", stream)
    with pytest.raises(Refused):
        run("read", "door", "--watch", "--port", "sim://")


def test_a_name_that_is_not_there_lists_those_that_are(run: Callable[..., Any]) -> None:
    with pytest.raises(UnknownName) as error:
        run("read", "temprature", "--port", "sim://")
    assert "temperature" in str(error.value)


def test_a_sensor_that_does_not_answer_is_told_while_it_is_watched(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def broken(sensor: Sensor) -> Reading:
        asked.append(sensor.name)
        raise BridgeError(f"{sensor.name} cannot be read.", why="The chip at 0x76 does not answer.")

    monkeypatch.setattr("edge_sdk.cli.bridge.read._AGAIN_S", 0)
    monkeypatch.setattr(Sensor, "read", broken)
    done = run("read", "door", "--watch", "--count", 1, "--port", "sim://")
    assert done.stderr.count("edge: door: door cannot be read.") == 1
    assert "The chip at 0x76" in done.stderr
    assert len(asked) > 1


def test_an_output_cannot_be_watched(run: Callable[..., Any]) -> None:
    with pytest.raises(UnknownName):
        run("read", "heater", "--watch", "--port", "sim://")


def test_a_count_without_watching_is_refused(run: Callable[..., Any]) -> None:
    assert run("read", "door", "--count", 3, "--port", "sim://").exit_code == 2


def test_a_path_where_a_name_should_be_is_told_as_an_address(run: Callable[..., Any]) -> None:
    done = run("read", "/tmp/pty", "lamp")
    assert done.exit_code == 2
    assert "/tmp/pty is an address: give it as --port /tmp/pty" in done.output
