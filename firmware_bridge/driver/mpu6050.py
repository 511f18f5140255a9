"""InvenSense MPU-6050: acceleration, rotation and its own temperature.

Source: MPU-6000/MPU-6050 register map RM-MPU-6000A-00, revision 4.2 (August 2013); ranges and what they are off by:
product specification PS-MPU-6000A-00, revision 3.4.
"""

import struct

from firmware_bridge.driver.chip import I2CChip

_SMPLRT_DIV, _ACCEL_XOUT_H, _PWR_MGMT_1, _WHO_AM_I = 0x19, 0x3B, 0x6B, 0x75
_OTHERS = {0x70: "an MPU-6500", 0x71: "an MPU-9250", 0x73: "an MPU-9255", 0x98: "an ICM-20689"}
# 200 samples a second through a filter of 44 Hz, within 250 degrees a second and 2 g: the finest that there is.
_SET_UP = bytes((4, 3, 0x00, 0x00))  # SMPLRT_DIV, CONFIG, GYRO_CONFIG, ACCEL_CONFIG
_AWAKE = 0x01  # by the clock of a gyroscope, as 4.28 recommends
# The filter delays by 4.9 ms (4.3 of the register map), and a sample stands for 5 ms.
_AGE = (7400, 5000)
_STARTS_US = 50_000  # the gyroscopes' start (30 ms) and a sample
_G, _PER_G, _PER_DEGREE = 9.80665, 16384, 131
_VALUES = (
    "acceleration_x", "acceleration_y", "acceleration_z", "temperature", "rotation_x", "rotation_y", "rotation_z",
)  # fmt: skip
_LIMITS = (-32768, 32767)


class MPU6050(I2CChip):
    """The chip; accelerations are in m/s2, rotations in degrees a second, ``temperature`` in degC."""

    name = "MPU-6050"
    address = 0x68

    def age(self) -> "tuple[int, int]":
        """Say how many microseconds ago what `read` gave was measured, and how far off that may be either way."""
        return _AGE

    def _begin(self) -> None:
        self._check_id(_WHO_AM_I, 0x68, _OTHERS)
        self.put(_PWR_MGMT_1, bytes((_AWAKE,)))
        self.put(_SMPLRT_DIV, _SET_UP)
        self._awake_us = self._clock_us()
        self._started = False

    def _value(self, value: str) -> "float | None":
        if self.get(_PWR_MGMT_1, 1)[0] != _AWAKE:
            raise self._error("has lost its supply for a moment: it is set up again")
        self._started = self._started or self._passed_us(self._awake_us) >= _STARTS_US
        if not self._started:
            return None
        raw: int = struct.unpack(">7h", self.get(_ACCEL_XOUT_H, 14))[_VALUES.index(value)]
        if value == "temperature":
            return raw / 340 + 36.53
        if raw in _LIMITS:
            return None  # beyond its range: what it would be is not known
        return raw * _G / _PER_G if value.startswith("acceleration") else raw / _PER_DEGREE
