"""The board's own pins: sensors and outputs as a bridge has them, without a microcontroller."""

from firmware_bridge.pins.pins import Pins, open_pins

__all__ = ["Pins", "open_pins"]
