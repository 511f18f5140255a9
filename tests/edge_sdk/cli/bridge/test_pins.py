from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.error import BridgeError, NoDevice, UnknownName

Run = Callable[..., Any]
PINS = {
    "v": 1,
    "sensors": {"door": {"kind": "digital", "chip": "nowhere", "line": 1}},
    "outputs": {
        "lamp": {"kind": "digital", "chip": "elsewhere", "line": 2},
        "fan": {"kind": "pwm", "chip": 250, "channel": 0},
    },
}


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    path = tmp_path / "pins.json"
    path.write_text(json.dumps(PINS))
    return path


def test_only_what_is_named_is_claimed(run: Run, pins: Path) -> None:
    with pytest.raises(NoDevice, match="no GPIO chip 'nowhere', on which door"):
        run("read", "--pins", pins)
    with pytest.raises(NoDevice, match="no GPIO chip 'elsewhere', on which lamp"):
        run("set", "lamp", "on", "--pins", pins)
    pytest.importorskip("periphery", reason="python-periphery is not installed (pip install python-periphery)")
    with pytest.raises(NoDevice, match="pwmchip250, on which fan"):
        run("set", "fan", "0.5", "--pins", pins)


def test_a_bus_that_nothing_that_is_read_hangs_on_is_not_opened(run: Run, pins: Path) -> None:
    buses = {"adc": {"kind": "spi", "device": "/dev/spidev250.0"}}
    pins.write_text(json.dumps({**PINS, "buses": buses}))
    with pytest.raises(NoDevice, match="no GPIO chip 'nowhere', on which door"):
        run("read", "door", "--pins", pins)


def test_a_file_without_sensors_has_nothing_to_read(run: Run, pins: Path) -> None:
    pins.write_text(json.dumps({**PINS, "sensors": {}}))
    for more in ((), ("--watch",)):
        assert run("read", "--pins", pins, *more).stdout == "There is nothing to read.\n"
    assert json.loads(run("read", "--pins", pins, "--json").stdout) == []


def test_a_name_that_the_file_has_not_is_told_with_those_that_it_has(run: Run, pins: Path) -> None:
    with pytest.raises(UnknownName, match=r"pins.json has no sensor 'lamp'") as caught:
        run("read", "lamp", "--pins", pins)
    assert caught.value.why == "There is door."
    with pytest.raises(UnknownName, match="has no output 'door'") as caught:
        run("set", "door", "1", "--pins", pins)
    assert caught.value.why == "There is fan, lamp."


def test_pins_and_a_microcontroller_are_not_asked_at_once(run: Run, pins: Path) -> None:
    for command in (("read", "door"), ("set", "lamp", "on")):
        done = run(*command, "sim://", "--pins", pins)
        assert done.exit_code == 2
        assert "Name either a microcontroller (sim://) or the board's own pins" in done.output


def test_a_device_in_place_of_the_file_is_told(run: Run) -> None:
    with pytest.raises(BridgeError, match="/dev/zero cannot be read"):
        run("read", "--pins", "/dev/zero")
