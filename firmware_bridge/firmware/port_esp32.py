"""The port to the ESP32 and its kin: S2, S3, C3, C6.

Source: MicroPython's quick reference for the ESP32; Espressif's ESP-IDF programming guide, "GPIO & RTC GPIO", "ADC"
and "DAC" of each chip: pins that there are, those of flash and PSRAM left out.
"""

import machine

from firmware_bridge.firmware.board import Board

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_REFERENCE_UV = 3_300_000


def _pins(text: str) -> "tuple[int, ...]":
    """Read numbers and ranges of pins.

    Examples
    --------
    >>> _pins("0-2 5")
    (0, 1, 2, 5)
    """
    pins: list[int] = []
    for word in text.split():
        least, _, most = word.partition("-")
        pins.extend(range(int(least), int(most or least) + 1))
    return tuple(pins)


# Chip: pins; those that are inputs only; those that measure a voltage, of the ADC that a radio leaves alone where there
# is one; those that give one. The USB serial port's own pins are left out.
_CHIPS = {
    "ESP32S2": ("0-18 21 33-46", "46", "1-10", "17 18"),
    "ESP32S3": ("0-18 21 33-48", "", "1-10", ""),
    "ESP32C3": ("0-10 20 21", "", "0-4", ""),
    "ESP32C6": ("0-11 14-23", "", "0-6", ""),
    "ESP32": ("0 2 4 5 12-19 21-23 25-27 32-39", "34-39", "32-39", "25 26"),
}


class ESP32(Board):
    """An ESP32 of any kind."""

    watchdog_least_ms = 1000  # it counts whole seconds
    buffer_bytes = 400
    """At 115 200 baud an answer of so many takes 46 ms, in which nothing else is done."""

    def __init__(self, clock_us: "Callable[[], int]") -> None:
        super().__init__(clock_us)
        told = self.board.upper().replace("-", "")
        chip = "ESP32"
        for name in _CHIPS:
            if name != "ESP32" and name in told:
                chip = name
        self.pins, self.inputs_only, self.analog_in, self.analog_out = [_pins(text) for text in _CHIPS[chip]]

    def share(self, pin: int) -> "Callable[[], float]":
        """Give what measures a pin's share of 3.3 V: right from 0.15 to 2.45 V, as far as its calibration goes."""
        adc = machine.ADC(machine.Pin(pin), atten=machine.ADC.ATTN_11DB)
        return lambda: adc.read_uv() / _REFERENCE_UV
