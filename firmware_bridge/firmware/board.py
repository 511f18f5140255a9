"""What the ports have in common: the configuration's parts made of MicroPython's pins, and the chip's own doings.

Source: MicroPython's documentation of `machine`, `neopixel` and `onewire`, 1.20 to 1.26.
"""

import sys

import machine
import neopixel
import onewire

from firmware_bridge.driver.part import Chips, check_item
from firmware_bridge.firmware import config
from firmware_bridge.firmware.error import ConfigError
from firmware_bridge.firmware.hardware import AxisPins, Hardware, Output, Parts, Sensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FULL = 65535  # of a duty and of a reading
_STRETCH_US = 2000  # the longest that a chip may hold its bus up: everything waits as long
_LEASE_MS = 5000
_PERIOD_US = 1000
_I2C_ADDRESSES = range(0x08, 0x78)  # the others are reserved (NXP UM10204, 3.1.12)


class DigitalSensor(Sensor):
    """A pin that is high or low."""

    def __init__(self, item: "dict[str, Any]") -> None:
        self.entry = {"unit": "", "least": 0, "most": 1, "period_us": item.get("period_us", _PERIOD_US)}
        pull = {1: machine.Pin.PULL_UP, -1: machine.Pin.PULL_DOWN}.get(item.get("pull", 0))
        self._pin = machine.Pin(item["pin"], machine.Pin.IN, pull)
        self._invert = int(item.get("invert", False))

    def read(self) -> int:
        """Give 1 or 0."""
        return int(self._pin.value()) ^ self._invert


class AnalogSensor(Sensor):
    """A pin's voltage: ``offset`` plus ``scale`` times its share of 3.3 V."""

    def __init__(self, item: "dict[str, Any]", share: "Callable[[], float]") -> None:
        self._scale, self._offset = item.get("scale", 1), item.get("offset", 0)
        ends = sorted((self._offset, self._offset + self._scale))
        self.entry = {
            "unit": item.get("unit", ""),
            "least": ends[0],
            "most": ends[1],
            "period_us": item.get("period_us", _PERIOD_US),
        }
        self._share = share

    def read(self) -> float:
        """Measure."""
        value: float = self._offset + self._scale * self._share()
        return value


class DigitalOutput(Output):
    """A pin that is switched; at its safe level from the start."""

    def __init__(self, item: "dict[str, Any]") -> None:
        self.entry = output_entry(item)
        self._invert = int(item.get("invert", False))
        self._pin = machine.Pin(item["pin"], machine.Pin.OUT, value=self.entry["safe"] ^ self._invert)

    def write(self, value: "Any") -> None:
        """Switch it."""
        self._pin.value(int(value) ^ self._invert)


class PwmOutput(Output):
    """A pin that is on for a share of the time."""

    def __init__(self, item: "dict[str, Any]") -> None:
        self.entry = output_entry(item)
        self._pin = item["pin"]
        self._invert = item.get("invert", False)
        self._pwm = machine.PWM(
            machine.Pin(self._pin), freq=item.get("hz", 1000), duty_u16=self._duty(self.entry["safe"])
        )

    def write(self, value: "Any") -> None:
        """Set the share."""
        self._pwm.duty_u16(self._duty(value))

    def close(self) -> None:
        """Hold the safe level without a timer, where it is one."""
        level = self._duty(self.entry["safe"])
        if level in (0, _FULL):
            self._pwm.deinit()
            machine.Pin(self._pin, machine.Pin.OUT, value=int(level > 0))

    def _duty(self, share: float) -> int:
        duty = round(share * _FULL)
        return _FULL - duty if self._invert else duty


class AnalogOutput(Output):
    """A pin's voltage, as a share of 3.3 V."""

    def __init__(self, item: "dict[str, Any]") -> None:
        self.entry = output_entry(item)
        self._dac = machine.DAC(machine.Pin(item["pin"]))
        self.write(self.entry["safe"])

    def write(self, value: "Any") -> None:
        """Set the share, to one part in 255."""
        self._dac.write(round(value * 255))


class ColourOutput(Output):
    """A row of WS2812 LEDs, all of one colour."""

    def __init__(self, item: "dict[str, Any]") -> None:
        self.entry = output_entry(item)
        self._row = neopixel.NeoPixel(machine.Pin(item["pin"], machine.Pin.OUT, value=0), item["count"])
        self.write(self.entry["safe"])

    def write(self, value: "Any") -> None:
        """Set red, green and blue."""
        self._row.fill(tuple(value))
        self._row.write()


class Enable:
    """What gives a motor's driver current, low for on; axes may share it, and it is on while one of them wants it."""

    def __init__(self, pin: int) -> None:
        self._pin = machine.Pin(pin, machine.Pin.OUT, value=1)
        self._users: list[object] = []

    def set(self, user: object, on: bool) -> None:
        """Say whether an axis wants it."""
        if user in self._users:
            self._users.remove(user)
        if on:
            self._users.append(user)
        self._pin.value(0 if self._users else 1)


class Stepper(AxisPins):
    """A driver with step and direction: A4988, DRV8825, TMC2209."""

    def __init__(self, item: "dict[str, Any]", enable: "Enable | None") -> None:
        self.entry = dict(item)
        self.entry.update({"unit": "um", "step": item["um_per_step"], "homes": "home" in item})
        self._enable = enable
        self._invert = item.get("invert", False)
        self._level = -1
        self._step = machine.Pin(item["step"], machine.Pin.OUT, value=0)
        self._dir = machine.Pin(item["dir"], machine.Pin.OUT, value=0)
        home = item.get("home")
        if home:
            self._switch = machine.Pin(home["pin"], machine.Pin.IN, machine.Pin.PULL_UP)
            self._closed = int(home.get("invert", False))

    def enable(self, on: bool) -> None:
        """Give the motor current, or take it away."""
        if self._enable:
            self._enable.set(self, on)

    def pulse(self, direction: int) -> None:
        """Make one step."""
        level = self._towards(direction)
        if level != self._level:
            self._level = level
            self._dir.value(level)
        self._step.value(1)
        self._step.value(1)  # again: a DRV8825 wants to see it for 1.9 us (its datasheet SLVSA73F, 6.6)
        self._step.value(0)

    def at_switch(self) -> bool:
        """Tell whether the switch is pressed, which connects the pin to ground."""
        return bool(self._switch.value() == self._closed)

    def _towards(self, direction: int) -> int:
        return int((direction > 0) != self._invert)


class Board(Hardware):
    """A microcontroller with MicroPython on it.

    Parameters
    ----------
    clock_us : function
        Microseconds, as ``time.ticks_us`` gives them.
    """

    pins: "Any" = ()
    """Numbers of the pins that there are."""
    inputs_only: "Any" = ()
    analog_in: "Any" = ()
    analog_out: "Any" = ()
    watchdog_least_ms = 500

    def __init__(self, clock_us: "Callable[[], int]") -> None:
        self.board = getattr(sys.implementation, "_machine", sys.platform)
        self.unique = machine.unique_id()
        self.clock_us = clock_us
        self._watchdog: Any = None
        self._chips = Chips(self.clock_us)

    @property
    def watched(self) -> bool:
        """Whether the watchdog runs, which nothing can stop."""
        return self._watchdog is not None

    def check(self, wanted: "dict[str, Any]") -> None:
        """Check a configuration; `ConfigError` says what is wrong."""
        if not wanted:
            return
        config.check(wanted, self.pins)
        if wanted.get("watchdog_ms", self.watchdog_least_ms) < self.watchdog_least_ms:
            raise ConfigError("watchdog_ms", f"this board's watchdog waits {self.watchdog_least_ms} ms at least")
        for name, item in _items(wanted, "sensors"):
            self._check_sensor("sensors." + name, item, wanted)
        for name, item in _items(wanted, "outputs"):
            self._check_output("outputs." + name, item)
        for name, item in _items(wanted, "axes"):
            for key in ("step", "dir", "enable"):
                self._check_drives(f"axes.{name}.{key}", item.get(key))

    def build(self, wanted: "dict[str, Any]") -> Parts:
        """Make what a configuration that was checked says."""
        self._chips = Chips(self.clock_us)
        parts = Parts()
        try:
            self._build(wanted, parts)
        except BaseException:
            parts.close()
            raise
        return parts

    def watch_for(self, ms: int) -> None:
        """Start the watchdog; one that runs already is only fed."""
        if self._watchdog is None:
            self._watchdog = machine.WDT(timeout=ms)

    def feed(self) -> None:
        """Feed the watchdog, and let sensors do what is due."""
        self._chips.poll()
        if self._watchdog is not None:
            self._watchdog.feed()

    def restart(self) -> None:
        """Start anew: every pin is an input then."""
        machine.reset()

    def share(self, pin: int) -> "Callable[[], float]":
        """Give what measures a pin's share of 3.3 V."""
        raise NotImplementedError

    def stepper(self, item: "dict[str, Any]", enable: "Enable | None") -> Stepper:
        """Make an axis's pins."""
        return Stepper(item, enable)

    def _build(self, wanted: "dict[str, Any]", parts: Parts) -> None:
        buses = {name: _made("buses." + name, _bus, item) for name, item in _items(wanted, "buses")}
        for name, item in _items(wanted, "sensors"):
            where = "sensors." + name
            parts.sensors[name] = _made(where, self._sensor, where, item, buses)
        for name, item in _items(wanted, "outputs"):
            parts.outputs[name] = _made("outputs." + name, _OUTPUTS[item["kind"]], item)
        enables: dict[Any, Enable] = {}
        for name, item in _items(wanted, "axes"):
            pin = item.get("enable")
            if pin is not None and pin not in enables:
                enables[pin] = _made(f"axes.{name}.enable", Enable, pin)
            parts.axes[name] = _made("axes." + name, self.stepper, item, enables.get(pin))

    def _sensor(self, where: str, item: "dict[str, Any]", buses: "dict[str, Any]") -> "Any":
        if "driver" in item:
            return self._chips.sensor(where, item, buses[item["bus"]])
        if item["kind"] == "analog":
            return AnalogSensor(item, self.share(item["pin"]))
        return DigitalSensor(item)

    def _check_sensor(self, where: str, item: "dict[str, Any]", wanted: "dict[str, Any]") -> None:
        if "driver" in item:
            kind = wanted["buses"][item["bus"]]["kind"]
            check_item(where, item, kind)
            if kind == "i2c" and item.get("address", 0x76) not in _I2C_ADDRESSES:
                raise ConfigError(where + ".address", f"{item['address']} is not from 8 to 119")
        elif item["kind"] == "analog" and item["pin"] not in self.analog_in:
            raise ConfigError(where + ".pin", f"pin {item['pin']} measures no voltage; {_numbers(self.analog_in)} do")

    def _check_output(self, where: str, item: "dict[str, Any]") -> None:
        kind, pin = item["kind"], item["pin"]
        if kind == "analog" and pin not in self.analog_out:
            there = f"pins {_numbers(self.analog_out)} can" if self.analog_out else "use pwm on this board"
            raise ConfigError(where + ".pin", f"pin {pin} gives no voltage; {there}")
        if kind == "colour" and item["driver"] != "ws2812":
            raise ConfigError(where + ".driver", f"{item['driver']!r:.40} is not ws2812")
        self._check_drives(where + ".pin", pin)

    def _check_drives(self, where: str, pin: "int | None") -> None:
        if pin in self.inputs_only:
            raise ConfigError(where, f"pin {pin} is an input only")


def output_entry(item: "dict[str, Any]") -> "dict[str, Any]":
    """Give what the dictionary says of an output."""
    colour = item["kind"] == "colour"
    return {
        "unit": "",
        "least": item.get("least", 0),
        "most": item.get("most", 255 if colour else 1),
        "safe": item.get("safe", [0, 0, 0] if colour else 0),
        "lease_ms": item.get("lease_ms", _LEASE_MS),
        "kind": item["kind"],
    }


_OUTPUTS: "dict[str, Any]" = {
    "digital": DigitalOutput,
    "pwm": PwmOutput,
    "analog": AnalogOutput,
    "colour": ColourOutput,
}


def _items(wanted: "dict[str, Any]", key: str) -> "list[tuple[str, Any]]":
    """Give the parts of a kind in the order of their names, the same on every interpreter."""
    return sorted(wanted.get(key, {}).items())


def _bus(item: "dict[str, Any]") -> "Any":
    """Make a bus: of software, which takes any pins."""
    if item["kind"] == "onewire":
        return onewire.OneWire(machine.Pin(item["pin"]))
    scl, sda = machine.Pin(item["scl"]), machine.Pin(item["sda"])
    return machine.SoftI2C(scl=scl, sda=sda, freq=item.get("hz", 400_000), timeout=_STRETCH_US)


def _made(where: str, make: "Callable[..., Any]", *what: "Any") -> "Any":
    """Make something; what the chip does not take is an error of the configuration's."""
    try:
        return make(*what)
    except (ValueError, TypeError) as error:
        raise ConfigError(where, str(error)) from None


def _numbers(pins: "Any") -> str:
    return ", ".join([str(pin) for pin in sorted(pins)])
