from __future__ import annotations

import random

import pytest
from device import HUMIDITY_TRIM, TRIM, Clock, bme280, bme280_measured

from firmware_bridge.driver import bme280 as driver


def in_doubles(raw_t: int, raw_p: int, raw_h: int) -> tuple[float, float, float]:
    """Compensate as the datasheet's appendix 8.1 does, in degC, Pa and %."""
    t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9 = TRIM
    h1, h2, h3, h4, h5, h6 = HUMIDITY_TRIM
    fine = (raw_t / 16384 - t1 / 1024) * t2 + (raw_t / 131072 - t1 / 8192) ** 2 * t3
    a = fine / 2 - 64000
    b = a * a * p6 / 32768 + a * p5 * 2
    b = b / 4 + p4 * 65536
    a = (p3 * a * a / 524288 + p2 * a) / 524288
    a = (1 + a / 32768) * p1
    p = (1048576 - raw_p - b / 4096) * 6250 / a
    p += (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16
    h = fine - 76800
    h = (raw_h - (h4 * 64 + h5 / 16384 * h)) * (h2 / 65536 * (1 + h6 / 67108864 * h * (1 + h3 / 67108864 * h)))
    h *= 1 - h1 * h / 524288
    return fine / 5120, p, min(max(h, 0.0), 100.0)


@pytest.fixture
def bus():
    return bme280()


@pytest.fixture
def chip(bus):
    return driver.BME280(bus, 0x76, Clock())


def test_a_measurement_is_of_the_last_pause_and_work(chip):
    chip.read("temperature")
    age_us, within_us = chip.age()
    assert age_us == within_us  # it may have ended just now
    assert age_us + within_us >= 1.25 * 62_500 + 2 * 18_500


def test_the_datasheets_example_comes_out(chip):
    assert chip.read("temperature") == 25.08
    assert chip.read("pressure") == pytest.approx(1006.5327, abs=2e-4)


def test_it_computes_as_the_datasheets_doubles_do(chip, bus):
    dice = random.Random(3)
    for _ in range(500):
        raw = dice.randrange(420_000, 620_000), dice.randrange(250_000, 550_000), dice.randrange(20_000, 45_000)
        bme280_measured(bus, *raw)
        celsius, pascals, percent = in_doubles(*raw)
        assert chip.read("temperature") == pytest.approx(celsius, abs=0.011)
        assert chip.read("pressure") * 100 == pytest.approx(pascals, abs=2)
        assert chip.read("humidity") == pytest.approx(percent, abs=0.02)


def test_negative_calibration_of_humidity_keeps_its_sign():
    humidity = bytes((0x6A, 0x01, 0x00, 0xF3, 0x8A, 0xFB, 0x1E))
    assert driver.calibration(bytes(26), humidity)[13:] == (362, 0, -13 * 16 + 10, -5 * 16 + 8, 30)


def test_it_measures_by_itself_and_humidity_is_set_before_what_takes_it(chip, bus):
    chip.read("humidity")
    assert [register for register, _ in bus.written] == [0xF2, 0xF5, 0xF4]
    assert bus.registers[0xF4] & 3 == 3


def test_before_the_first_measurement_there_is_none(chip, bus):
    bme280_measured(bus, 0x80000, 0x80000, 0x8000)
    assert [chip.read(value) for value in ("temperature", "pressure", "humidity")] == [None, None, None]


def test_another_chip_is_told_by_its_name(chip, bus):
    bus.registers[0xD0] = 0x58
    with pytest.raises(OSError, match=r"BME280 at 0x76 is a BMP280, which has no humidity: its id is 0x58, not 0x60"):
        chip.read("temperature")


def test_a_missing_one_says_what_to_check_and_works_when_it_is_there(chip, bus):
    bus.there = False
    with pytest.raises(OSError, match=r"does not answer .*: check its wiring"):
        chip.read("temperature")
    bus.there = True
    assert chip.read("temperature") == 25.08


def test_one_that_lost_its_supply_is_set_up_again(chip, bus):
    chip.read("temperature")
    bus.registers[0xF4] = 0
    bme280_measured(bus, 0x80000, 0x80000, 0x8000)
    with pytest.raises(OSError, match="has lost its supply"):
        chip.read("temperature")
    assert chip.read("temperature") is None
    bme280_measured(bus)
    assert chip.read("temperature") == 25.08


@pytest.mark.parametrize("fill", [0, 255])
def test_a_calibration_of_nothing_is_refused(chip, bus, fill):
    bus.registers.update(dict.fromkeys(range(0x88, 0xA2), fill))
    with pytest.raises(OSError, match="has no calibration"):
        chip.read("pressure")


def test_a_calibration_that_divides_by_nothing_has_no_pressure(chip, bus):
    bus.registers[0x8E] = bus.registers[0x8F] = 0
    assert chip.read("pressure") is None
