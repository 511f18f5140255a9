from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_bridge.error import BridgeError
from firmware_bridge.pins.config import read_config

RIGHT = {
    "v": 1,
    "name": "incubator",
    "buses": {"i2c": {"kind": "i2c", "device": "/dev/i2c-1"}, "adc": {"kind": "spi", "device": "/dev/spidev0.0"}},
    "sensors": {
        "temperature": {"driver": "bme280", "bus": "i2c", "address": 118, "value": "temperature"},
        "door": {"kind": "digital", "pin": 11, "pull": 1, "edges": True},
    },
    "outputs": {
        "heater": {"kind": "digital", "chip": "pinctrl-rp1", "line": 17, "safe": 0},
        "fan": {"kind": "pwm", "chip": 0, "channel": 2, "hz": 25000, "safe": 0.2},
    },
}


def changed(**sections):
    return {**RIGHT, **sections}


def test_a_file_is_read_as_a_mapping_is(tmp_path):
    path = tmp_path / "pins.json"
    path.write_text(json.dumps(RIGHT))
    assert read_config(path) == read_config(RIGHT) == RIGHT


def test_the_documented_example_is_right():
    page = Path(__file__).parents[3] / "docs/how-to/use-the-pins.md"
    example = page.read_text().split("```json\n")[1].split("```")[0]
    assert read_config(json.loads(example))["outputs"]


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({}, "v: missing"),
        (changed(axes={}), "axes: not known"),
        (changed(buses={"i2c": {"kind": "uart"}}), "buses.i2c.kind: 'uart' is none of i2c, spi"),
        (
            changed(sensors={"a": {"driver": "bme280", "bus": "none", "value": "humidity"}}),
            "sensors.a.bus: there is no",
        ),
        (
            changed(sensors={"a": {"driver": "bme280", "bus": "adc", "value": "humidity"}}),
            "sensors.a.bus: a bme280 needs",
        ),
        (
            changed(sensors={"a": {"driver": "ds18b20", "bus": "i2c"}}),
            "sensors.a.bus: a ds18b20 needs a bus of the kind",
        ),
        (changed(outputs={"a": {"kind": "digital"}}), "outputs.a: a line is named by pin"),
        (changed(outputs={"a": {"kind": "digital", "pin": 3, "line": 2}}), "outputs.a: a line is named by pin"),
        (changed(outputs={"a": {"kind": "digital", "chip": "x"}}), "outputs.a: a line is named by pin"),
        (changed(outputs={"a": {"kind": "digital", "pin": 3, "safe": 2}}), "outputs.a.safe: 2 is not from 0 to 1"),
        (changed(outputs={"a": {"kind": "digital", "pin": 3, "lease_ms": 9000}}), "outputs.a.lease_ms: 9000 is longer"),
        (changed(outputs={"door": {"kind": "digital", "pin": 3}}), "outputs.door: this name is used already"),
        (changed(outputs={"a b": {"kind": "digital", "pin": 3}}), "outputs.a b: a name has"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(config, where):
    with pytest.raises(BridgeError) as error:
        read_config(config)
    assert error.value.why.startswith(where)


def test_a_file_that_is_not_there_or_no_json_is_told(tmp_path):
    with pytest.raises(BridgeError, match="cannot be read"):
        read_config(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(BridgeError) as error:
        read_config(tmp_path / "bad.json")
    assert error.value.why.startswith("not JSON")
