"""What a configuration makes of the board's pins; all of it, or none is held."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from firmware_bridge.driver.part import Chips
from firmware_bridge.firmware.hardware import Parts
from firmware_bridge.pins.config import LEASE_MS
from firmware_bridge.pins.gpio import IdleOutput, Line, OutputLine, OutputPwm, Spi
from firmware_bridge.pins.place import Places
from firmware_bridge.pins.smbus import I2C

__all__ = ["PinParts"]


class PinParts(Parts):
    """The sensors and outputs of a configuration that was checked.

    Parameters
    ----------
    config : dict
        As `read_config` gave it.
    places : Places
        Finds lines.
    idle : bool
        Claim no output: each only remembers what it was to be set to.

    Attributes
    ----------
    buses : dict
        By name.

    Raises
    ------
    BridgeError
        If something is not there, or not to be had; what was claimed before it is safe and let go of again.
    """

    def __init__(self, config: Mapping[str, Any], places: Places, *, idle: bool = False) -> None:
        super().__init__()
        self.buses: dict[str, Any] = {}
        self.chips = Chips(lambda: time.monotonic_ns() // 1000)
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            # Outputs first: the sooner they are safe, the better.
            for name, item in config.get("outputs", {}).items():
                item = {"lease_ms": config.get("lease_ms", LEASE_MS), **item}
                self.outputs[name] = _output(name, item, places, idle=idle)
            for name, item in config.get("buses", {}).items():
                self.buses[name] = I2C(name, item["device"]) if item["kind"] == "i2c" else Spi(name, item)
            for name, item in config.get("sensors", {}).items():
                if "driver" in item:
                    self.sensors[name] = self.chips.sensor(f"sensors.{name}", item, self.buses[item["bus"]])
                else:
                    self.sensors[name] = Line(name, item, places.find(name, item))
            undo.pop_all()

    def close(self) -> None:
        """Make every output safe and let go of everything, whatever fails meanwhile; twice is harmless."""
        held = [*self.outputs.values(), *self.sensors.values(), *self.buses.values()]
        for kind in (self.outputs, self.sensors, self.buses):
            kind.clear()
        with contextlib.ExitStack() as stack:
            for part in reversed(held):
                if hasattr(part, "close"):
                    stack.enter_context(contextlib.suppress(OSError))
                    stack.callback(part.close)


def _output(name: str, item: dict[str, Any], places: Places, *, idle: bool) -> Any:
    place = None if item["kind"] == "pwm" else places.find(name, item)
    if idle:
        return IdleOutput(item)
    return OutputLine(name, item, place) if place else OutputPwm(name, item)
