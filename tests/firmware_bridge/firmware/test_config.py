"""All of a configuration is checked before any of it is taken."""

from __future__ import annotations

import copy
import json
import zlib
from pathlib import Path

import pytest
from bench import CONFIG, Bench

from firmware_bridge.firmware import config
from firmware_bridge.wire import number

WRONG = [
    ("v", 2, "v", "not from 1 to 1"),
    ("v", None, "v", "missing"),
    ("colour", 1, "colour", "not known"),
    ("name", 5, "name", "not text"),
    ("name", "x" * 33, "name", "33"),
    ("outputs", [], "outputs", "not a map"),
    ("lease_ms", 60_001, "lease_ms", "not from 100 to 60000"),
    ("lease_ms", 1000.5, "lease_ms", "no whole number"),
    ("lease_ms", True, "lease_ms", "no whole number"),
    ("lease_ms", 4000, "outputs.heater.lease_ms", "longer than the longest of all, 4000"),
    ("watchdog_ms", 9000, "watchdog_ms", "not from"),
    ("buses.i2c0.kind", "spi", "buses.i2c0.kind", "none of i2c, onewire"),
    ("buses.i2c0.kind", [], "buses.i2c0.kind", "none of"),
    ("buses.i2c0.scl", 4, "buses.i2c0.sda", "used by buses.i2c0.scl already"),
    ("buses.i2c0.scl", None, "buses.i2c0.scl", "missing"),
    ("buses.i2c0.hz", 5, "buses.i2c0.hz", "not from"),
    ("sensors.light.bus", "i2c1", "sensors.light.bus", "no bus 'i2c1'"),
    ("sensors.light.driver", 5, "sensors.light.driver", "not text"),
    ("sensors.light.period_us", 10, "sensors.light.period_us", "not from"),
    ("sensors.light.pin", 4, "sensors.light.pin", "not known"),
    ("sensors.door.kind", "driver", "sensors.door.kind", "none of analog, digital"),
    ("sensors.door.kind", None, "sensors.door.kind", "none of"),
    ("sensors.door", 5, "sensors.door", "not a map"),
    ("sensors.heater", {"kind": "digital", "pin": 27}, "outputs.heater", "used already"),
    ("sensors.a b", {"kind": "digital", "pin": 27}, "sensors.a b", "1 to 32 letters"),
    ("outputs.heater.kind", "servo", "outputs.heater.kind", "none of analog, colour, digital, pwm"),
    ("outputs.heater.pin", 30, "outputs.heater.pin", "no pin 30"),
    ("outputs.heater.pin", "15", "outputs.heater.pin", "no number of a pin"),
    ("outputs.heater.pin", True, "outputs.heater.pin", "no number of a pin"),
    ("outputs.heater.pin", 16, "outputs.lamp.pin", "used by outputs.heater.pin already"),
    ("outputs.heater.safe", 1.5, "outputs.heater.safe", "not from 0 to 1"),
    ("outputs.laser.safe", 0.75, "outputs.laser.safe", "not from 0 to 0.5"),
    ("outputs.laser.least", 0.5, "outputs.laser.least", "not below most"),
    ("outputs.fan.safe", 0.5, "outputs.fan.safe", "no whole number"),
    ("outputs.fan.invert", 1, "outputs.fan.invert", "neither true nor false"),
    ("outputs.lamp.safe", [0, 0, 256], "outputs.lamp.safe", "a colour"),
    ("outputs.lamp.safe", 0, "outputs.lamp.safe", "a colour"),
    ("outputs.lamp.count", 0, "outputs.lamp.count", "not from"),
    ("axes.x.least", 5000, "axes.x.least", "not below most"),
    ("axes.x.um_per_step", 0, "axes.x.um_per_step", "not from"),
    ("axes.x.speed", None, "axes.x.speed", "missing"),
    ("axes.x.speed", 100_000, "axes.x.speed", "100 000 steps"),
    ("axes.x.acceleration", "fast", "axes.x.acceleration", "no number"),
    ("axes.x.backlash", -1, "axes.x.backlash", "not from"),
    ("axes.x.home.to", 0, "axes.x.home.to", "-1 or 1"),
    ("axes.x.home.at", 6000, "axes.x.home.at", "not from -5000 to 5000"),
    ("axes.x.home.speed", 2001, "axes.x.home.speed", "above the axis's own, 2000"),
    ("axes.x.home.pin", 6, "axes.x.home.pin", "used by axes.x.enable already"),
    ("axes.x.home.speeds", 1, "axes.x.home.speeds", "not known"),
    ("axes.z.step", 6, "axes.z.step", "used by axes.z.enable already"),
]


def changed(where, value):
    wanted = copy.deepcopy(CONFIG)
    *path, key = where.split(".")
    item = wanted
    for part in path:
        item = item[part]
    if value is None:
        del item[key]
    else:
        item[key] = value
    return wanted


def take(bench, wanted, crc=None):
    data = wanted if isinstance(wanted, bytes) else json.dumps(wanted).encode()
    bench.upload("/config.json", data)
    return bench.do(number.CONFIGURE, {"crc": zlib.crc32(data) if crc is None else crc})


def test_the_bench_s_own_is_right():
    config.check(CONFIG, range(30))


def test_one_with_nothing_in_it_is_right():
    config.check({"v": 1})


@pytest.mark.parametrize(("where", "value", "place", "why"), WRONG, ids=[f"{row[0]}={row[1]!s:.20}" for row in WRONG])
def test_what_is_wrong_is_told_with_its_place(where, value, place, why):
    with pytest.raises(config.ConfigError) as caught:
        config.check(changed(where, value), range(30))
    assert caught.value.where == place
    assert why in caught.value.why
    assert caught.value.rc == number.CONFIG


def test_an_enable_pin_may_be_shared_by_axes_and_by_nothing_else():
    config.check(changed("axes.x.enable", 26), range(30))
    with pytest.raises(config.ConfigError, match="used by"):
        config.check(changed("outputs.fan.pin", 6))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"5", b"\xff\xfe", b'{"v": 1', b"[" * 5000])
def test_what_is_no_json_map_is_refused(data):
    with pytest.raises(config.ConfigError):
        config.parse(data)


def test_the_uploaded_one_is_taken_when_it_is_right(bench):
    bench.open(5000)
    before = bench.ask(number.HELLO)
    old = bench.parts.outputs["heater"]
    bench.do(number.SET, {"name": "heater", "value": 1})
    wanted = changed("outputs.heater.safe", 0.25)
    wanted["name"] = "another"
    answer = take(bench, wanted)
    assert bench.rc(answer) == 0
    hello = bench.ask(number.HELLO)
    assert (hello["cfg"], hello["dict"]) == (answer["cfg"], answer["dict"])
    assert hello["dict"] != before["dict"]
    assert (hello["name"], hello["state"]) == ("another", "live")
    assert old.now == 0
    assert bench.parts.outputs["heater"].written == [0.25]
    bench.start(boot=8)
    assert bench.ask(number.HELLO)["cfg"] == answer["cfg"]


@pytest.mark.parametrize("where", ["buses", "outputs.heater", "axes.x.home"])
def test_the_old_one_stays_when_the_new_one_is_wrong(bench, where):
    bench.open(5000)
    before = bench.ask(number.HELLO)
    parts = bench.parts
    bench.do(number.SET, {"name": "heater", "value": 1})
    answer = take(bench, changed(where, {"wrong": 1}))
    assert bench.rc(answer) == number.CONFIG
    assert where in answer["why"]
    assert bench.parts is parts
    assert parts.outputs["heater"].now == 1
    bench.start()
    assert bench.ask(number.HELLO)["cfg"] == before["cfg"]


def test_the_old_one_is_built_again_when_the_hardware_cannot_do_the_new_one(bench):
    bench.open(5000)
    before = bench.ask(number.HELLO)
    wanted = changed("sensors.light", None)
    wanted["sensors"]["lost"] = CONFIG["sensors"]["light"]
    bench.hardware.refuses = "lost"
    answer = take(bench, wanted)
    assert (bench.rc(answer), answer["why"]) == (number.CONFIG, "sensors.lost: no answer at 0x76")
    hello = bench.ask(number.HELLO)
    assert (hello["cfg"], hello["dict"], hello["state"]) == (before["cfg"], before["dict"], "live")
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1})) == 0


def test_one_with_another_crc_than_announced_is_refused(bench):
    bench.open(5000)
    answer = take(bench, CONFIG, crc=5)
    assert bench.rc(answer) == number.CONFIG
    assert "CRC" in answer["why"]


def test_none_is_taken_while_an_axis_moves(bench):
    bench.open(5000)
    bench.do(number.HOME, {"axis": "x"})
    assert bench.rc(take(bench, CONFIG)) == number.BUSY


def test_taking_one_makes_positions_unknown(bench):
    bench.open(5000)
    bench.home()
    take(bench, CONFIG)
    assert bench.ask(number.READ_VALUE, {"name": "x"})["value"] is None


@pytest.mark.parametrize("data", [b"no json", json.dumps(changed("axes.x.speed", None)).encode()])
def test_a_stored_one_that_is_wrong_is_a_fault_that_a_right_one_mends(bench, data):
    bench.files.put("/config.json", data)
    bench.start(boot=9)
    assert bench.ask(number.HELLO)["state"] == "fault"
    bench.open(5000)
    answer = bench.do(number.SET, {"name": "heater", "value": 1})
    assert bench.rc(answer) == number.FAULT
    assert "/config.json" in answer["why"]
    assert bench.do(number.CLEAR)["state"] == "fault"
    assert bench.rc(take(bench, CONFIG)) == 0
    assert bench.do(number.CLEAR)["state"] == "live"
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1})) == 0


def test_hardware_that_was_missing_at_the_start_is_looked_for_again_when_the_fault_is_cleared(tmp_path):
    bench = Bench(str(tmp_path))
    bench.hardware.refuses = "light"
    bench.start()
    bench.open(5000)
    assert bench.do(number.CLEAR)["state"] == "fault"
    bench.hardware.refuses = ""
    assert bench.do(number.CLEAR)["state"] == "live"
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1})) == 0


def test_the_old_one_is_built_again_when_the_new_one_cannot_be_kept(bench, monkeypatch):
    bench.open(5000)
    before = bench.ask(number.HELLO)
    data = json.dumps(changed("outputs.fan", None)).encode()
    bench.upload("/config.json", data)

    def full(old, new):
        raise OSError(28, "no space")

    monkeypatch.setattr(bench.files, "rename", full)
    assert bench.rc(bench.do(number.CONFIGURE, {"crc": zlib.crc32(data)})) == number.HARDWARE
    hello = bench.ask(number.HELLO)
    assert (hello["cfg"], hello["dict"]) == (before["cfg"], before["dict"])


def test_the_protocol_s_page_shows_a_configuration_that_is_right():
    page = (Path(__file__).parents[3] / "docs/reference/bridge-protocol.md").read_text()
    blocks = [json.loads(block.split("```")[0]) for block in page.split("```json\n")[1:]]
    (shown,) = [block for block in blocks if "buses" in block]
    config.check(shown)


def test_every_key_is_on_the_configuration_s_page():
    page = (Path(__file__).parents[3] / "docs/reference/bridge-configuration.md").read_text()
    tables = [config._TOP, config._AXIS, config._HOME]
    for kinds in (config._BUSES, config._SENSORS, config._OUTPUTS):
        tables += kinds.values()
    for key in {word.split(":")[0] for table in tables for word in table.split()}:
        assert f"`{key}`" in page, key
