from __future__ import annotations

import struct

import pytest
from device import I2C, Clock, put

from firmware_bridge.driver.mpu6050 import MPU6050


@pytest.fixture
def bus():
    bus = I2C(0x68, {0x75: 0x68, 0x6B: 0x40})
    # x, y, z of 1 g, -0.5 g and full scale; -521 is 35 degC, as the register map's formula has it; 10, -20, 0 deg/s.
    put(bus.registers, 0x3B, struct.pack(">7h", 16384, -8192, 32767, -521, 1310, -2620, 0))
    return bus


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def chip(bus, clock):
    return MPU6050(bus, 0x68, clock)


def test_it_is_woken_and_gives_nothing_before_its_gyroscopes_run(chip, bus, clock):
    assert chip.read("rotation_x") is None
    assert bus.registers[0x6B] == 1
    clock.pass_ms(51)
    assert chip.read("rotation_x") == pytest.approx(10)


def test_its_values_are_in_their_units(chip, clock):
    chip.read("temperature")
    clock.pass_ms(51)
    told = [chip.read(name) for name in ("acceleration_x", "acceleration_y", "temperature", "rotation_y", "rotation_z")]
    assert told == pytest.approx([9.80665, -4.903325, 34.9976, -20, 0], abs=1e-4)


def test_what_is_beyond_its_range_is_no_number(chip, clock):
    chip.read("temperature")
    clock.pass_ms(51)
    assert chip.read("acceleration_z") is None


def test_the_clock_may_wrap_long_after_the_start(chip, clock):
    chip.read("temperature")
    for _ in range(40):
        clock.pass_ms(53_687)
        assert chip.read("temperature") is not None


def test_one_that_fell_asleep_is_woken_again(chip, bus, clock):
    chip.read("temperature")
    clock.pass_ms(51)
    bus.registers[0x6B] = 0x40
    with pytest.raises(OSError, match="has lost its supply"):
        chip.read("temperature")
    chip.read("temperature")
    clock.pass_ms(51)
    assert chip.read("temperature") == pytest.approx(35, abs=0.01)


def test_another_chip_is_told_by_its_name(chip, bus):
    bus.registers[0x75] = 0x70
    with pytest.raises(OSError, match="is an MPU-6500"):
        chip.read("temperature")
