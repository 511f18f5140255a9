"""What all drivers give in a scene, told line by line: every interpreter is to tell the same. Runs in MicroPython."""

from device import I2C, Clock, Wire, WordI2C, bme280, bme280_measured, put

from firmware_bridge.driver.ds18b20 import crc8
from firmware_bridge.driver.part import Chips, check_item
from firmware_bridge.driver.table import DRIVERS
from firmware_bridge.firmware.error import ConfigError


def told(value):
    # Floats of MicroPython may be of 32 bits: five digits are what both have.
    return "none" if value is None else f"{value:.5g}"


def play(tell) -> None:
    clock = Clock()
    chips = Chips(clock)
    serial = bytes((0x28, 0x61, 0x64, 0x11, 0x8D, 0xF1, 0x15))
    pad = bytes((0x92, 0x01, 0x4B, 0x46, 0x7F, 0xFF, 0x0F, 0x10))
    buses = {
        "bme280": bme280(),
        "tsl2591": I2C(0x29, {0xB2: 0x50, 0xB3: 1, 0xB4: 0x10, 0xB5: 0x20, 0xB6: 0x01, 0xB7: 0x08}),
        "veml7700": WordI2C(0x10, {0x07: 0xC481, 0x04: 1234}),
        "mpu6050": I2C(0x68, {0x75: 0x68}),
        "ds18b20": Wire(serial + bytes((crc8(serial),)), pad + bytes((crc8(pad),))),
    }
    put(buses["mpu6050"].registers, 0x3B, bytes((0x40, 0, 0xE0, 0, 0x7F, 0xFF, 0xFD, 0xF7, 5, 30, 0xF5, 0xC4, 0, 0)))
    sensors = []
    for driver in sorted(DRIVERS):
        for value in sorted(DRIVERS[driver][3]):
            item = {"driver": driver, "bus": driver, "value": value, "period_us": 200_000}
            sensors.append((driver, value, chips.sensor("sensors.one", item, buses[driver])))

    def look() -> None:
        for driver, value, sensor in sensors:
            try:
                given = told(sensor.read())
                tell(f"{driver} {value} {given} {sensor.entry['unit']} {'' if given == 'none' else sensor.age()}")
            except OSError as error:
                text = str(error)
                tell(text[: text.find("(")] if "(" in text else text)

    look()
    for step in range(8):
        for _ in range(150):
            clock.pass_ms(10)
            chips.poll()
        bme280_measured(buses["bme280"], 400_000 + 30_000 * step, 300_000 + 20_000 * step, 25_000 + 2000 * step)
        buses["veml7700"].registers[4] = 40 << step
        buses["tsl2591"].there = step != 3
        buses["ds18b20"].there = step != 5
        look()
    for item, kind in (
        ({"driver": "none"}, "i2c"),
        ({"driver": "bme280"}, "onewire"),
        ({"driver": "bme280", "value": "wind"}, "i2c"),
    ):
        try:
            check_item("sensors.one", item, kind)
        except ConfigError as error:
            tell(error.where + ": " + error.why)


if __name__ == "__main__":
    play(print)
