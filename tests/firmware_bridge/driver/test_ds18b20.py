from __future__ import annotations

import pytest
from device import Clock, Wire

from firmware_bridge.driver.ds18b20 import DS18B20, crc8
from firmware_bridge.driver.part import Chips

SERIAL = bytes((0x28, 0x61, 0x64, 0x11, 0x8D, 0xF1, 0x15))
ROM = SERIAL + bytes((crc8(SERIAL),))


def pad(raw: int, *, config: int = 0x7F, byte6: int = 0x0B) -> bytes:
    data = bytes((raw & 255, raw >> 8, 0x4B, 0x46, config, 0xFF, byte6, 0x10))
    return data + bytes((crc8(data),))


def measured(chip, clock):
    """Read twice, a conversion apart."""
    chip.read("temperature")
    clock.pass_ms(1000)
    return chip.read("temperature")


@pytest.fixture
def wire():
    return Wire(ROM, pad(0x0191))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def chip(wire, clock):
    return DS18B20(wire, 0, clock)


# DS18B20 datasheet 19-7487, revision 6, table 1.
@pytest.mark.parametrize(
    ("raw", "celsius"),
    [
        (0x07D0, 125), (0x0550, 85), (0x0191, 25.0625), (0x00A2, 10.125), (0x0008, 0.5), (0x0000, 0), (0xFFF8, -0.5),
        (0xFF5E, -10.125), (0xFE6F, -25.0625), (0xFC90, -55),
    ],
)  # fmt: skip
def test_the_datasheets_table_comes_out(chip, wire, clock, raw, celsius):
    wire.pad = pad(raw)
    assert measured(chip, clock) == celsius


def test_the_crc_is_that_of_the_makers_example():
    # Maxim application note 27: this ROM ends with its CRC, 0xA2.
    assert crc8(bytes((0x02, 0x1C, 0xB8, 0x01, 0x00, 0x00, 0x00, 0xA2))) == 0


def test_a_conversion_is_begun_and_fetched_later(chip, wire, clock):
    assert chip.read("temperature") is None
    assert wire.conversions == 1
    clock.pass_ms(700)
    assert chip.read("temperature") is None
    clock.pass_ms(60)
    assert chip.read("temperature") == 25.0625
    assert wire.conversions == 2


def test_its_age_counts_from_the_middle_of_the_conversion_to_when_it_is_read(chip, clock):
    chip.read("temperature")
    clock.pass_ms(760)
    assert chip.read("temperature") == 25.0625
    assert chip.age() == (760_000 - 375_000, 375_000)
    clock.pass_ms(700)
    assert chip.read("temperature") == 25.0625  # of the same conversion: the one after it is not done
    assert chip.age() == (1_460_000 - 375_000, 375_000)
    clock.pass_ms(60)
    chip.read("temperature")
    assert chip.age() == (760_000 - 375_000, 375_000)


def test_no_poll_takes_longer_than_five_bytes_on_the_wire(wire, clock):
    chip = DS18B20(wire, int.from_bytes(ROM, "little"), clock)
    for _ in range(200):
        before = wire.bytes
        chip.poll()
        assert wire.bytes - before <= 10
        clock.pass_ms(20)
    assert chip.read("temperature") == 25.0625


def test_an_old_measurement_is_not_given(chip, clock):
    assert measured(chip, clock) == 25.0625
    clock.pass_ms(60_000)
    assert chip.read("temperature") is None


def test_a_bit_that_fell_over_is_told(chip, wire, clock):
    wire.pad[0] ^= 4
    with pytest.raises(OSError, match="its CRC does not fit"):
        measured(chip, clock)
    wire.pad = pad(0x0191)
    clock.pass_ms(600)
    with pytest.raises(OSError, match="its CRC does not fit"):  # measured again, but not done
        chip.read("temperature")
    clock.pass_ms(760)
    assert chip.read("temperature") == 25.0625


def test_one_that_is_missing_is_not_asked_all_the_time(chip, wire, clock):
    wire.there = False
    asked = []
    wire.reset = lambda: asked.append(clock.now_us) and False
    for _ in range(300):
        chip.poll()
        clock.pass_ms(10)
    assert 4 <= len(asked) <= 7


def test_two_on_a_wire_never_talk_at_once(wire, clock):
    chips = Chips(clock)
    item = {"driver": "ds18b20", "bus": "wire", "address": int.from_bytes(ROM, "little")}
    other = {**item, "address": 0}
    sensors = [chips.sensor("sensors.one", each, wire) for each in (item, other)]
    for _ in range(400):
        chips.poll()
        clock.pass_ms(10)
        values = [sensor.read() for sensor in sensors]
    assert values == [25.0625, 25.0625]


def test_a_wire_that_is_held_low_is_no_temperature_of_zero(chip, wire, clock):
    wire.pad = bytes(9)
    with pytest.raises(OSError, match="held low"):
        measured(chip, clock)


def test_the_85_degrees_of_power_on_are_no_temperature(chip, wire, clock):
    wire.pad = pad(0x0550, byte6=0x0C)
    with pytest.raises(OSError, match="lost its supply while it measured"):
        measured(chip, clock)


def test_one_that_is_not_there_is_told(chip, wire):
    wire.there = False
    with pytest.raises(OSError, match="nothing is on the wire"):
        chip.read("temperature")


def test_power_from_the_data_wire_is_refused(chip, wire):
    wire.power = 0
    with pytest.raises(OSError, match="connect its VDD"):
        chip.read("temperature")


def test_several_on_the_wire_need_an_address(chip, wire):
    wire.rom = bytes(byte & 0xF3 for byte in ROM)
    with pytest.raises(OSError, match="its address is to be given"):
        chip.read("temperature")


def test_another_family_is_refused(chip, wire):
    serial = b"\x10" + SERIAL[1:]
    wire.rom = serial + bytes((crc8(serial),))
    with pytest.raises(OSError, match="its family is 0x10"):
        chip.read("temperature")


def test_an_address_with_a_slip_is_refused(wire, clock):
    chip = DS18B20(wire, int.from_bytes(ROM, "little") ^ 1 << 20, clock)
    with pytest.raises(OSError, match="is no address of one"):
        chip.read("temperature")


def test_bits_that_a_coarser_setting_leaves_undefined_do_not_count(chip, wire, clock):
    wire.pad = pad(0x0197, config=0x1F)
    assert measured(chip, clock) == 25.0
