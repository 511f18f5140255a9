"""Sensors, outputs and axes of a configuration, made of MicroPython's pins.

Source: MicroPython's documentation of `machine` and `neopixel`, 1.20 to 1.26.
"""

import machine
import neopixel

from firmware_bridge.firmware.hardware import AxisPins, Output, Sensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FULL = 65535  # of a duty
_LEASE_MS = 5000
_PERIOD_US = 1000


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


OUTPUTS: "dict[str, Any]" = {
    "digital": DigitalOutput,
    "pwm": PwmOutput,
    "analog": AnalogOutput,
    "colour": ColourOutput,
}
