"""Bosch BME280: temperature, humidity and pressure of air.

Source: BME280 datasheet BST-BME280-DS002-15, revision 1.6 (September 2018): registers in 5.3 and 5.4, calibration in
4.2.2, the compensation in whole numbers in 4.2.3 (floats of a microcontroller hold too few digits for it).
"""

import struct

from firmware_bridge.driver.chip import I2CChip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ID, _CTRL_HUM, _STATUS, _CTRL_MEAS, _CONFIG, _DATA = 0xD0, 0xF2, 0xF3, 0xF4, 0xF5, 0xF7
_CALIBRATION, _CALIBRATION_HUMIDITY = 0x88, 0xE1
_OTHERS = {
    0x56: "a BMP280",
    0x57: "a BMP280",
    0x58: "a BMP280, which has no humidity",
    0x61: "a BME680",
    0x55: "a BMP180",
}
# It measures by itself every 81 ms: 62.5 of pause and at most 18.5 of work (datasheet 9.1), so that a reading takes
# no wait and is hardly older. Temperature twice, pressure four times, humidity once, averaged; no filter.
_ONCE, _MEASURE, _PAUSE = 0x01, 0x2 << 5 | 0x3 << 2 | 0x3, 0x1 << 5
# A pause may be a quarter longer (table 1), so that a measurement ended up to 96.7 ms ago, and began 115.2 ms ago.
_AGE = (57_600, 57_600)
_COPYING = 0x01
_NONE_20, _NONE_16 = 0x80000, 0x8000  # not measured yet


class BME280(I2CChip):
    """The chip; its values are ``temperature`` (degC), ``pressure`` (hPa) and ``humidity`` (%)."""

    name = "BME280"
    address = 0x76

    def age(self) -> "tuple[int, int]":
        """Say how many microseconds ago what `read` gave was measured, and how far off that may be either way."""
        return _AGE

    def _begin(self) -> None:
        self._check_id(_ID, 0x60, _OTHERS)
        if self.get(_STATUS, 1)[0] & _COPYING:
            raise self._error("is still starting: read it again")
        main, humidity = self.get(_CALIBRATION, 26), self.get(_CALIBRATION_HUMIDITY, 7)
        if main[:2] in (b"\x00\x00", b"\xff\xff"):
            raise self._error("has no calibration: it is broken, or its wires disturb each other")
        self._calibration = calibration(main, humidity)
        self.put(_CTRL_HUM, bytes((_ONCE,)))  # taken when the next one is written
        self.put(_CONFIG, bytes((_PAUSE,)))
        self.put(_CTRL_MEAS, bytes((_MEASURE,)))

    def _value(self, value: str) -> "float | None":
        data = self.get(_DATA, 8)
        pressure = data[0] << 12 | data[1] << 4 | data[2] >> 4
        temperature = data[3] << 12 | data[4] << 4 | data[5] >> 4
        humidity = data[6] << 8 | data[7]
        if temperature == _NONE_20:
            if self.get(_CTRL_MEAS, 1)[0] != _MEASURE:
                raise self._error("has lost its supply for a moment: it is set up again")
            return None
        fine = fine_temperature(temperature, self._calibration)
        if value == "temperature":
            return ((fine * 5 + 128) >> 8) / 100
        if value == "pressure":
            pascals = None if pressure == _NONE_20 else pressure_256ths(pressure, fine, self._calibration)
            return None if pascals is None else pascals / 25600
        return None if humidity == _NONE_16 else humidity_1024ths(humidity, fine, self._calibration) / 1024


def calibration(main: bytes, humidity: bytes) -> "tuple[Any, ...]":
    """Read the calibration: T1 to T3, P1 to P9, H1 to H6.

    Parameters
    ----------
    main : bytes
        Registers 0x88 to 0xA1.
    humidity : bytes
        Registers 0xE1 to 0xE7.
    """
    h2, h3, high4, nibbles, high5, h6 = struct.unpack("<hBbBbb", humidity)
    h4, h5 = high4 * 16 + (nibbles & 0x0F), high5 * 16 + (nibbles >> 4)
    return struct.unpack("<HhhHhhhhhhhh", main[:24]) + (main[25], h2, h3, h4, h5, h6)  # noqa: RUF005 (not in MicroPython)


def fine_temperature(raw: int, of: "tuple[Any, ...]") -> int:
    """Compensate the temperature, in 5120ths of a degree, as the other two need it."""
    t1, t2, t3 = of[:3]
    linear = (((raw >> 3) - (t1 << 1)) * t2) >> 11
    off = (raw >> 4) - t1
    return int(linear + ((((off * off) >> 12) * t3) >> 14))


def pressure_256ths(raw: int, fine: int, of: "tuple[Any, ...]") -> "int | None":
    """Compensate the pressure, in 256ths of a pascal; None where the calibration makes none."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = of[3:12]
    t = fine - 128000
    offset = t * t * p6 + ((t * p5) << 17) + (p4 << 35)
    slope = (((1 << 47) + ((t * t * p3) >> 8) + ((t * p2) << 12)) * p1) >> 33
    if slope == 0:
        return None
    p = ((((1048576 - raw) << 31) - offset) * 3125) // slope
    return int(((p + ((p9 * (p >> 13) * (p >> 13)) >> 25) + ((p8 * p) >> 19)) >> 8) + (p7 << 4))


def humidity_1024ths(raw: int, fine: int, of: "tuple[Any, ...]") -> int:
    """Compensate the humidity, in 1024ths of a percent."""
    h1, h2, h3, h4, h5, h6 = of[12:]
    t = fine - 76800
    of_signal = ((raw << 14) - (h4 << 20) - h5 * t + 16384) >> 15
    of_warmth = (((((t * h6) >> 10) * (((t * h3) >> 11) + 32768)) >> 10) + 2097152) * h2 + 8192
    v = of_signal * (of_warmth >> 14)
    v -= ((((v >> 15) * (v >> 15)) >> 7) * h1) >> 4
    return int(min(max(v, 0), 419430400) >> 12)
