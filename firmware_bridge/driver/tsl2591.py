"""ams TSL2591: light by two photodiodes, one of which sees infrared only.

Source: TSL2591 datasheet of ams, DS000338: registers, gains and full counts. It gives no formula of lux; this is
the one that Linux' driver has too (drivers/iio/light/tsl2591.c), with its 408 lux ms for a count at gain 1. It holds
for daylight and white LEDs, and is off by tens of percent for light that is rich in infrared.
"""

import struct

from firmware_bridge.driver.light import LightChip

_ENABLE, _CONTROL, _ID, _STATUS, _C0DATAL = 0xA0, 0xA1, 0xB2, 0xB3, 0xB4  # with the bits of a command
_ON, _MEASURE, _VALID = 0x01, 0x02, 0x01
_FULL_100_MS, _FULL = 36863, 65535
_LUX_MS_OF_COUNT = 408.0


def _rung(gain: int, ms: int, bits: int) -> "tuple[float, int, int, int]":
    return (gain * ms, ms, bits << 4 | (ms // 100 - 1), (_FULL_100_MS if ms == 100 else _FULL) * 9 // 10)


class TSL2591(LightChip):
    """The chip; its value is ``light`` (lx)."""

    name = "TSL2591"
    address = 0x29
    ladder = (_rung(1, 100, 0), _rung(25, 100, 1), _rung(428, 100, 2), _rung(9876, 100, 3), _rung(9876, 600, 3))

    def _identify(self) -> None:
        self._check_id(_ID, 0x50, {0x00: "a chip that says nothing", 0x0A: "a TSL2561"})

    def _set(self, bits: int) -> None:
        self.put(_ENABLE, bytes((_ON,)))  # ends what it measures, and with it what is valid
        self.put(_CONTROL, bytes((bits,)))
        self.put(_ENABLE, bytes((_ON | _MEASURE,)))

    def _counts(self) -> "tuple[int, int] | None":
        if self.get(_ENABLE, 1)[0] & 0x03 != _ON | _MEASURE:
            raise self._error("has lost its supply for a moment: it is set up again")
        if not self.get(_STATUS, 1)[0] & _VALID:
            return None
        both, infrared = struct.unpack("<HH", self.get(_C0DATAL, 4))
        return both, infrared

    def _full(self, ms: int) -> int:
        return _FULL_100_MS if ms == 100 else _FULL

    def _lux_of(self, counts: "tuple[int, int]", sensitivity: float) -> float:
        both, infrared = counts
        if infrared >= both:
            return 0.0  # darkness, or infrared alone
        return (both - infrared) * (1 - infrared / both) * _LUX_MS_OF_COUNT / sensitivity
