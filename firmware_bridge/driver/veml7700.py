"""Vishay VEML7700: light as the eye sees it.

Source: registers: datasheets of the VEML7700 (84286) and of its sister with the same registers, VEML6030 (84366). A
count is 0.0042 lx at gain 2 in 800 ms in application note 84323 of January 2024 (0.0036 in that of September 2019), as
public drivers cite that note; it was not opened for this, and none of it was tried on a chip. As they cite it, the note
counts to 10 000 only, and corrects by a polynomial what is above 1000 lx, which it turns from 1500 lx into 1658. That
this holds at both low gains, 1/4 and 1/8, is what ESPHome's documentation says; others correct at 1/8 alone. The
coefficients were published when a count was given as 0.0036 lx, and are in use with 0.0042, too.

The correction begins at 1000 lx with 7.5 %, so that nothing is given from 1000 to 1075 lx: a threshold there is passed
at a leap. It is half at 10 000 lx, and so steep in the sun that an error of 1 % in the count becomes 3 %.
"""

import struct

from firmware_bridge.driver.light import LightChip

_CONF, _POWER_SAVING, _ALS, _ID = 0x00, 0x03, 0x04, 0x07
_LUX_OF_COUNT = 0.0042 * 2 * 800  # at gain 1 in 1 ms
_SHUT_DOWN = 0x01
_CORRECTION = (6.0135e-13, -9.3924e-9, 8.1488e-5, 1.0023)  # of lux to the fourth power, the third, and so on
_CORRECTED_LUX, _MOST_LUX = 1000, 140_000
_CORRECTED = 0.25 * 100  # the most sensitive setting with a low gain
_LINEAR, _FULL = 10_000, 65535
_GAINS = {1: 0, 2: 1, 0.125: 2, 0.25: 3}
_TIMES = {25: 0xC, 50: 0x8, 100: 0x0, 200: 0x1, 400: 0x2, 800: 0x3}


def _rung(gain: float, ms: int) -> "tuple[float, int, int, int]":
    return (gain * ms, ms, _GAINS[gain] << 11 | _TIMES[ms] << 6, _LINEAR)


class VEML7700(LightChip):
    """The chip; its value is ``light`` (lx)."""

    name = "VEML7700"
    address = 0x10
    ladder = (
        _rung(0.125, 25), _rung(0.125, 100), _rung(0.25, 100), _rung(1, 100), _rung(2, 100),
        _rung(2, 200), _rung(2, 400), _rung(2, 800),
    )  # fmt: skip

    def _identify(self) -> None:
        self._check_id(_ID, 0x81, {})

    def _set(self, bits: int) -> None:
        self._bits = bits
        self.put(_CONF, struct.pack("<H", bits | _SHUT_DOWN))
        self.put(_POWER_SAVING, b"\x00\x00")
        self.put(_CONF, struct.pack("<H", bits))

    def _wait_us(self) -> int:
        # It starts within 2.5 ms, and its clock is off by a tenth: only the second measurement is surely a whole one.
        return self.ladder[self._step][1] * 2200 + 5000

    def _counts(self) -> "tuple[int, int] | None":
        if self.get(_CONF, 2) != struct.pack("<H", self._bits):
            raise self._error("has lost its supply for a moment: it is set up again")
        return struct.unpack("<H", self.get(_ALS, 2))[0], 0

    def _full(self, ms: int) -> int:
        return _FULL

    def _lux_of(self, counts: "tuple[int, int]", sensitivity: float) -> "float | None":
        lux = counts[0] * _LUX_OF_COUNT / sensitivity
        if lux <= _CORRECTED_LUX or sensitivity > _CORRECTED:
            return lux
        factor = 0.0
        for part in _CORRECTION:
            factor = factor * lux + part
        return None if factor * lux > _MOST_LUX else factor * lux
