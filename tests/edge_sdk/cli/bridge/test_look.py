from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from firmware_bridge.error import NoDevice


def test_info_tells_what_it_is_and_how_it_was_found(run: Callable[..., Any]) -> None:
    lines = run("info", "sim://incubator?ppm=0").stdout.splitlines()
    assert lines[0].startswith("board          simulation, number ")
    assert lines[1].strip() == "on sim://incubator?ppm=0"
    told = {line[:15].strip(): line[15:] for line in lines}
    assert told["state"] == "idle: no lease ran, so all outputs were safe"
    assert "3 sensors: door, humidity, temperature" in told["offers"] or "3 sensors: temperature" in told["offers"]
    assert "give or take" in told["clock"]
    assert told["link"].endswith("dropped: none")


def test_info_as_json_holds_clock_and_link_as_numbers(run: Callable[..., Any]) -> None:
    told = json.loads(run("info", "sim://stage", "--json").stdout)
    assert told["board"] == "simulation"
    assert sorted(told["axes"]) == ["x", "y", "z"]
    assert told["protocols"] == [1, 1]
    assert told["protocol"] == 1
    assert 0 <= told["clock_uncertainty_s"] < 0.5
    assert 0 < told["least_round_trip_s"] <= told["round_trip_s"] * 2
    assert told["answers"] == told["requests"] > 8


def test_the_address_may_also_stand_behind_port(run: Callable[..., Any]) -> None:
    assert json.loads(run("info", "--port", "sim://", "--json").stdout)["address"] == "sim://"
    done = run("info", "sim://", "--port", "sim://stage")
    assert done.exit_code == 2
    assert "Two addresses" in done.output


def test_a_line_with_faults_is_told_in_the_counts(run: Callable[..., Any]) -> None:
    told = json.loads(run("info", "sim://?drop=0.05&seed=1", "--json").stdout)
    assert told["retransmits"] > 0


def test_the_dictionary_lists_ranges_and_safe_values(run: Callable[..., Any]) -> None:
    text = run("dictionary", "sim://incubator").stdout
    rows = {line.split()[0]: line for line in text.splitlines() if line}
    assert "-40 to 85 degC" in rows["temperature"]
    assert rows["heater"].split() == ["heater", "pwm", "0", "to", "1", "0", "5", "s"]
    assert "axis" not in rows


def test_the_dictionary_lists_axes(run: Callable[..., Any]) -> None:
    rows = [line.split() for line in run("dictionary", "sim://stage").stdout.splitlines()]
    assert ["x", "-5000", "to", "5000", "um", "1.25", "um", "1000", "um/s", "12", "um", "by", "its", "switch"] in rows
    told = json.loads(run("dictionary", "sim://stage", "--json").stdout)
    assert told["axes"]["z"]["step_um"] == 0.25


def test_a_device_that_is_not_there_is_explained(run: Callable[..., Any]) -> None:
    with pytest.raises(NoDevice) as error:
        run("info", "/dev/ttyACM99")
    assert error.value.fix == "edge bridge list shows what is there."


def test_a_simulated_device_is_never_chosen_unasked(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.cli.bridge.look.open_bridge", lambda address: pytest.fail(address))
    with pytest.raises(pytest.fail.Exception, match=r"^auto$"):
        run("info")
