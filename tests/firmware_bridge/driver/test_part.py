from __future__ import annotations

import importlib

import pytest
from device import Clock, bme280

from firmware_bridge.driver.part import Chips, check_item
from firmware_bridge.driver.table import DRIVERS
from firmware_bridge.firmware.error import ConfigError


def test_every_line_of_the_table_names_a_driver_and_all_that_the_dictionary_needs():
    for module, name, bus, values in DRIVERS.values():
        made = getattr(importlib.import_module(module), name)
        assert isinstance(made.address, int)
        assert bus in ("i2c", "onewire")
        for entry in values.values():
            assert set(entry) <= {"unit", "least", "most", "period_us", "accuracy"}
            assert entry["least"] < entry["most"]
            assert entry["period_us"] >= 5000


def test_values_of_one_chip_share_its_driver_and_set_it_up_once():
    bus, chips = bme280(), Chips(Clock())
    item = {"driver": "bme280", "bus": "i2c0", "address": 0x76}
    sensors = [chips.sensor("sensors.a", {**item, "value": value}, bus) for value in ("temperature", "humidity")]
    assert sensors[0].read() == 25.08
    assert sensors[1].read() is not None
    assert len(bus.written) == 3
    assert sensors[1].entry["unit"] == "%"


def test_a_longer_period_of_the_configuration_counts():
    item = {"driver": "bme280", "bus": "i2c0", "value": "humidity"}
    chips = Chips(Clock())
    assert chips.sensor("a", {**item, "period_us": 2_000_000}, bme280()).entry["period_us"] == 2_000_000
    assert chips.sensor("a", {**item, "period_us": 1000}, bme280()).entry["period_us"] == 100_000


@pytest.mark.parametrize(
    ("item", "bus", "told"),
    [
        ({"driver": "bmp"}, "i2c", "sensors.a.driver: 'bmp' is none of bme280, ds18b20, mpu6050, tsl2591, veml7700"),
        ({"driver": "ds18b20"}, "i2c", "sensors.a.bus: a ds18b20 needs a bus of the kind onewire, not i2c"),
        ({"driver": "bme280"}, "i2c", "sensors.a.value: None is none of humidity, pressure, temperature"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(item, bus, told):
    with pytest.raises(ConfigError) as error:
        check_item("sensors.a", item, bus)
    assert str(error.value) == told


def test_a_single_value_needs_no_name():
    assert check_item("sensors.a", {"driver": "veml7700"}, "i2c") == "light"
