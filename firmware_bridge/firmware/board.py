"""What the ports have in common: a configuration checked and made, buses, watchdog, restart.

Source: MicroPython's documentation of `machine` and `onewire`, 1.20 to 1.26.
"""

import sys

import machine
import onewire

from firmware_bridge.driver.part import Chips, check_item
from firmware_bridge.firmware import config
from firmware_bridge.firmware.error import ConfigError
from firmware_bridge.firmware.hardware import Hardware, Parts
from firmware_bridge.firmware.pin import OUTPUTS, AnalogSensor, DigitalSensor, Enable, Stepper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_STRETCH_US = 2000  # the longest that a chip may hold its bus up: everything waits as long
_I2C_ADDRESSES = range(0x08, 0x78)  # the others are reserved (NXP UM10204, 3.1.12)


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
        buses = {name: self._made("buses." + name, _bus, item) for name, item in _items(wanted, "buses")}
        for name, item in _items(wanted, "sensors"):
            where = "sensors." + name
            parts.sensors[name] = self._made(where, self._sensor, where, item, buses)
        for name, item in _items(wanted, "outputs"):
            parts.outputs[name] = self._made("outputs." + name, OUTPUTS[item["kind"]], item)
        enables: dict[Any, Enable] = {}
        for name, item in _items(wanted, "axes"):
            pin = item.get("enable")
            if pin is not None and pin not in enables:
                enables[pin] = self._made(f"axes.{name}.enable", Enable, pin)
            parts.axes[name] = self._made("axes." + name, self.stepper, item, enables.get(pin))

    def _made(self, where: str, make: "Callable[..., Any]", *what: "Any") -> "Any":
        """Make something; what the chip does not take is an error of the configuration's."""
        if self._watchdog is not None:  # all parts together may take longer than it waits
            self._watchdog.feed()
        try:
            return make(*what)
        except (ValueError, TypeError) as error:
            raise ConfigError(where, str(error)) from None

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


def _items(wanted: "dict[str, Any]", key: str) -> "list[tuple[str, Any]]":
    """Give the parts of a kind in the order of their names, the same on every interpreter."""
    return sorted(wanted.get(key, {}).items())


def _bus(item: "dict[str, Any]") -> "Any":
    """Make a bus: of software, which takes any pins."""
    if item["kind"] == "onewire":
        return onewire.OneWire(machine.Pin(item["pin"]))
    scl, sda = machine.Pin(item["scl"]), machine.Pin(item["sda"])
    return machine.SoftI2C(scl=scl, sda=sda, freq=item.get("hz", 400_000), timeout=_STRETCH_US)


def _numbers(pins: "Any") -> str:
    return ", ".join([str(pin) for pin in sorted(pins)])
