"""The ports to RP2 and ESP32, over a fake of `machine` that writes down what is done to each pin."""

from __future__ import annotations

import copy
import importlib
import itertools
import sys
from pathlib import Path
from typing import Any

import pytest
from interpreter import HERE as MICROPYTHON
from interpreter import Interpreter

from firmware_bridge.firmware.error import ConfigError

HERE = Path(__file__).parent
MODULES = ("machine", "neopixel", "onewire", "rp2", "esp32", "play_board")
OURS = ("board", "pin", "port_rp2", "port_esp32", "main")


class Fake:
    """A chip that is none: its modules, its port, and the scene's configuration."""

    def __init__(self, chip: str, folder: Path) -> None:
        self.chip = chip
        self.scene = importlib.import_module("play_board")
        self.machine = importlib.import_module("machine")
        self.now_us = 0
        self.port = importlib.import_module("firmware_bridge.firmware.main").board(lambda: self.now_us)
        self.config: dict[str, Any] = self.scene.config(chip)

    def wrong(self, change: Any) -> str:
        """Give what is said of a configuration that was changed."""
        wanted = copy.deepcopy(self.config)
        change(wanted)
        with pytest.raises(ConfigError) as caught:  # noqa: PT012 (either may say it)
            self.port.check(wanted)
            self.port.build(wanted)
        return caught.value.why

    def log(self, what: str, pin: int) -> list[Any]:
        return [value for kind, number, value in self.machine.LOG if (kind, number) == (what, pin)]


def fake(chip: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fake:
    for folder in (HERE, MICROPYTHON / "fake", MICROPYTHON / f"fake_{chip}"):
        monkeypatch.syspath_prepend(str(folder))
    for name in MODULES + tuple(f"firmware_bridge.firmware.{name}" for name in OURS):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return Fake(chip, tmp_path)


@pytest.fixture
def rp2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fake:
    return fake("rp2", monkeypatch, tmp_path)


@pytest.fixture
def esp32(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fake:
    return fake("esp32", monkeypatch, tmp_path)


@pytest.mark.parametrize("chip", ["rp2", "esp32"])
def test_micropython_does_the_same_to_every_pin(
    micropython: Interpreter, chip: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here: list[str] = []
    fake(chip, monkeypatch, tmp_path).scene.play(here.append, chip)
    modules = (MICROPYTHON / "fake", MICROPYTHON / f"fake_{chip}")
    there = micropython.run(HERE / "play_board.py", chip, modules=modules)
    assert there.splitlines() == here
    assert len(here) > 40


def test_outputs_begin_at_their_safe_level_without_a_glitch(rp2: Fake) -> None:
    rp2.port.build(rp2.config)
    assert rp2.log("pwm", 15) == [0]
    assert rp2.log("pwm", 14) == [0]  # safe is on, and the pin is inverted
    assert rp2.log("pin", 17) == [1]
    assert rp2.log("leds", 16) == [(3, (1, 2, 3))]
    assert rp2.log("pin", 13) == [1]  # no current


def test_outputs_are_set_as_shares_and_levels(rp2: Fake) -> None:
    outputs = rp2.port.build(rp2.config).outputs
    outputs["heater"].write(1)
    outputs["fan"].write(0.25)
    outputs["valve"].write(1)
    assert rp2.log("pwm", 15)[-1] == 65535
    assert rp2.log("pwm", 14)[-1] == 65535 - 16384
    assert rp2.log("pin", 17)[-1] == 0


def test_closed_parts_hold_the_safe_level(rp2: Fake) -> None:
    rp2.config["outputs"]["half"] = {"kind": "pwm", "pin": 10, "safe": 0.5}
    parts = rp2.port.build(rp2.config)
    parts.outputs["heater"].write(1)
    for name in ("heater", "fan"):
        parts.outputs[name].write(parts.outputs[name].entry["safe"])
    parts.close()
    assert rp2.log("pwm off", 15) == [None]
    assert rp2.log("pin", 15) == [0]
    assert rp2.log("pin", 14) == [0]
    assert rp2.log("pwm off", 10) == []


def test_a_motor_has_current_while_one_axis_on_its_driver_wants_it(rp2: Fake) -> None:
    axes = rp2.port.build(rp2.config).axes
    seen = []
    for axis, on in (("x", True), ("y", True), ("x", True), ("x", False), ("y", False)):
        axes[axis].enable(on)
        seen.append(rp2.log("pin", 13)[-1])
    assert seen == [0, 0, 0, 0, 1]


def test_a_step_is_a_pulse_after_its_direction(esp32: Fake) -> None:
    axes = esp32.port.build(esp32.config).axes
    esp32.machine.LOG.clear()
    for direction in (1, 1, -1):
        axes["y"].pulse(direction)
    rise = [("pin", 18, 1), ("pin", 18, 1), ("pin", 18, 0)]
    levels = [("pin", 19, 0), *rise, *rise, ("pin", 19, 1), *rise]  # y is inverted
    assert levels == esp32.machine.LOG


def test_a_switch_to_ground_is_pressed_when_its_pin_is_low(esp32: Fake) -> None:
    axis = esp32.port.build(esp32.config).axes["x"]
    pin = esp32.machine.PINS[12]
    assert (pin.mode, pin.pull) == (pin.IN, pin.PULL_UP)
    assert not axis.at_switch()
    pin.level = 0
    assert axis.at_switch()
    esp32.config["axes"]["x"]["home"]["invert"] = True
    assert esp32.port.build(esp32.config).axes["x"].at_switch()


def test_the_state_machine_spaces_steps_to_the_microsecond(rp2: Fake) -> None:
    program = importlib.import_module("rp2")
    axis = rp2.port.build(rp2.config).axes["x"]
    machine = program.MACHINES[0]
    assert (machine.freq, machine.on) == (1_000_000, 1)
    at_us, rises = 0, []
    for wait_us in (2000, 2000, 1000, 700, 500):  # given ahead, while the ones before wait yet
        axis.queue(1, wait_us)
        _, rise, fall, cycles = program.pulses(machine.words[-1])
        assert fall - rise >= 2
        rises.append(at_us + rise)
        at_us += cycles
    gaps = [later - earlier for earlier, later in itertools.pairwise(rises)]
    assert gaps == [2000, 1000, 700, 500]
    assert [program.pulses(word)[0] for word in machine.words] == [1] * 5


def test_a_step_that_comes_late_waits_for_what_is_left_only(rp2: Fake) -> None:
    program = importlib.import_module("rp2")
    axis = rp2.port.build(rp2.config).axes["x"]
    waits = []
    for now_us in (0, 5000, 5100, 90_000):
        rp2.now_us = now_us
        axis.queue(-1, 1000)
        level, _, _, cycles = program.pulses(program.MACHINES[0].words[-1])
        assert level == 0
        waits.append(cycles)
    assert waits == [1000, 9, 900, 9]


def test_a_clock_that_wraps_makes_no_step_late(rp2: Fake) -> None:
    program = importlib.import_module("rp2")
    rp2.now_us = (1 << 30) - 500
    axis = rp2.port.build(rp2.config).axes["x"]
    axis.queue(1, 1000)
    rp2.now_us = 100
    axis.queue(1, 1000)
    assert program.pulses(program.MACHINES[0].words[-1])[3] == 1000


def test_axes_beyond_the_state_machines_are_pulsed_by_the_program(rp2: Fake) -> None:
    one = rp2.config["axes"].pop("y")
    del one["enable"]
    rp2.config["axes"] = {str(n): dict(one, step=2 * n, dir=2 * n + 1) for n in range(6)}
    for kind in ("buses", "sensors", "outputs"):
        rp2.config[kind] = {}
    rp2.port.check(rp2.config)
    axes = rp2.port.build(rp2.config).axes
    assert [axes[str(n)].ahead_us > 0 for n in range(6)] == [True] * 4 + [False] * 2
    axes["5"].enable(True)  # without a pin for it: nothing happens


def test_pins_measure_a_share_of_3_3_volts(esp32: Fake) -> None:
    esp32.machine.ADC.VOLTS[34] = 1.1
    sensor = esp32.port.build(esp32.config).sensors["voltage"]
    assert sensor.read() == pytest.approx(1.1)
    assert (sensor.entry["least"], sensor.entry["most"], sensor.entry["unit"]) == (0, 3.3, "V")


def test_a_chip_that_is_missing_is_told_when_it_is_read(rp2: Fake) -> None:
    sensors = rp2.port.build(rp2.config).sensors
    for name, what in (("light", "VEML7700 at 0x10 does not answer"), ("cold", "DS18B20 does not answer")):
        with pytest.raises(OSError, match=what):
            sensors[name].read()


def test_the_watchdog_starts_once_and_is_fed(rp2: Fake) -> None:
    rp2.port.feed()
    assert rp2.machine.LOG == []
    rp2.port.watch_for(8000)
    rp2.port.watch_for(1000)
    rp2.port.feed()
    assert rp2.machine.LOG == [("watchdog", None, 8000), ("fed", None, None)]
    with pytest.raises(SystemExit):
        rp2.port.restart()


def test_the_watchdog_is_fed_before_each_part_is_made(rp2: Fake) -> None:
    rp2.port.watch_for(8000)
    rp2.machine.LOG.clear()
    rp2.port.build(rp2.config)
    fed = [kind for kind, _, _ in rp2.machine.LOG].count("fed")
    assert fed >= sum(len(rp2.config[kind]) for kind in ("buses", "sensors", "outputs", "axes"))


def test_what_this_chip_cannot_is_told_with_its_place(rp2: Fake) -> None:
    assert rp2.wrong(lambda c: c["sensors"]["voltage"].update(pin=20)).startswith(
        "sensors.voltage.pin: pin 20 measures no voltage; 26, 27, 28, 29 do"
    )
    assert "pins 14 and 15 share a timer" in rp2.wrong(lambda c: c["outputs"]["fan"].update(hz=600))
    twice = {"kind": "pwm", "pin": 1, "hz": 500}
    assert "pins 1 and 17 share a timer" in rp2.wrong(
        lambda c: c.update(outputs={"a": twice, "b": dict(twice, pin=17)})
    )
    assert "use pwm on this board" in rp2.wrong(lambda c: c["outputs"].update(a={"kind": "analog", "pin": 10}))
    assert "this board has no pin 30" in rp2.wrong(lambda c: c["outputs"]["valve"].update(pin=30))
    assert "is not ws2812" in rp2.wrong(lambda c: c["outputs"]["lamp"].update(driver="apa102"))
    assert "none of bme280" in rp2.wrong(lambda c: c["sensors"]["light"].update(driver="bme999"))
    assert "needs a bus of the kind i2c" in rp2.wrong(lambda c: c["sensors"]["light"].update(bus="wire"))
    assert "sensors.light.address: 200 is not" in rp2.wrong(lambda c: c["sensors"]["light"].update(address=200))


def test_what_an_esp32_cannot_is_told_with_its_place(esp32: Fake) -> None:
    assert "outputs.valve.pin: pin 35 is an input only" in esp32.wrong(lambda c: c["outputs"]["valve"].update(pin=35))
    assert "axes.y.step: pin 36 is an input only" in esp32.wrong(lambda c: c["axes"]["y"].update(step=36))
    assert "pins 25, 26 can" in esp32.wrong(lambda c: c["outputs"]["laser"].update(pin=27))
    assert "this board has no pin 6" in esp32.wrong(lambda c: c["outputs"]["valve"].update(pin=6))
    assert "waits 1000 ms at least" in esp32.wrong(lambda c: c.update(watchdog_ms=600))


def test_what_the_chip_refuses_is_told_and_what_was_made_before_it_is_let_go(rp2: Fake) -> None:
    rp2.machine.REFUSED = (19,)
    assert rp2.wrong(lambda c: None) == "axes.y: invalid pin"
    assert rp2.log("pwm off", 15) == [None]
    assert rp2.log("machine", 2) == [1, 0]
    rp2.machine.REFUSED = (13,)
    assert rp2.wrong(lambda c: None) == "axes.x.enable: invalid pin"


@pytest.mark.parametrize(
    ("told", "pin", "there", "drives", "measures"),
    [
        ("Generic ESP32 module with ESP32", 34, True, False, True),
        ("Generic ESP32 module with ESP32", 6, False, True, False),
        ("Generic ESP32S3 module with ESP32S3", 48, True, True, False),
        ("ESP32-S3-DevKit", 30, False, True, False),
        ("ESP32C3 module with ESP32C3", 4, True, True, True),
        ("ESP32C6 module with ESP32C6", 12, False, True, False),
        ("ESP32S2", 46, True, False, False),
    ],
)
def test_each_esp32_has_its_own_pins(
    esp32: Fake, monkeypatch: pytest.MonkeyPatch, told: str, pin: int, there: bool, drives: bool, measures: bool
) -> None:
    module = importlib.import_module("firmware_bridge.firmware.port_esp32")
    monkeypatch.setattr(sys.implementation, "_machine", told, raising=False)
    port = module.ESP32(lambda: 0)
    assert (pin in port.pins, pin not in port.inputs_only, pin in port.analog_in) == (there, drives, measures)


def test_the_large_rp2350_has_more_pins(rp2: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("firmware_bridge.firmware.port_rp2")
    monkeypatch.setattr(sys.implementation, "_machine", "Pimoroni with RP2350B", raising=False)
    port = module.RP2(lambda: 0)
    assert (47 in port.pins, 40 in port.analog_in, 26 in port.analog_in) == (True, True, False)
    assert [module._slice(pin) for pin in (0, 1, 15, 16, 31, 32, 39, 40, 47)] == [0, 0, 7, 0, 7, 8, 11, 8, 11]


def test_a_chip_without_a_port_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rp2", "esp32"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    main = importlib.import_module("firmware_bridge.firmware.main")
    with pytest.raises(RuntimeError, match="no port to"):
        main.board(lambda: 0)
