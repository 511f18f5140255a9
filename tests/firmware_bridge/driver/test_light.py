"""Two chips of light, each in a box whose light is known."""

from __future__ import annotations

import pytest
from device import I2C, Clock, WordI2C

from firmware_bridge.driver.tsl2591 import TSL2591
from firmware_bridge.driver.veml7700 import VEML7700

VEML_GAINS, VEML_MS = (1, 2, 0.125, 0.25), {0xC: 25, 0x8: 50, 0x0: 100, 0x1: 200, 0x2: 400, 0x3: 800}


class TslBox(I2C):
    """A TSL2591; registers with the bits of a command, as they are addressed."""

    def __init__(self, lux: float) -> None:
        super().__init__(0x29, {0xB2: 0x50})
        self.lux = lux

    def readfrom_mem(self, address, register, count):
        control = self.registers.get(0xA1, 0)
        gain, ms = (1, 25, 428, 9876)[control >> 4], (control % 8 + 1) * 100
        # A third of the broad channel's counts is infrared: (1 - 1/3) * (1 - 1/3) of them are light.
        counts = int(min(self.lux * gain * ms / 408 * 9 / 4, 36863 if ms == 100 else 65535))
        self.registers.update({0xB3: 1, 0xB4: counts & 255, 0xB5: counts >> 8})
        self.registers.update({0xB6: counts // 3 & 255, 0xB7: counts // 3 >> 8})
        return super().readfrom_mem(address, register, count)


def uncorrected(lux: float) -> float:
    """Give what the chip counts in so much light: the inverse of the note's correction, above 1000 lx."""
    low, high = 0.0, 40_000.0
    while high - low > 0.01:
        middle = (low + high) / 2
        right = 6.0135e-13 * middle**4 - 9.3924e-9 * middle**3 + 8.1488e-5 * middle**2 + 1.0023 * middle
        low, high = (middle, high) if right < lux else (low, middle)
    return low if low > 1000 else lux


class VemlBox(WordI2C):
    def __init__(self, lux: float) -> None:
        super().__init__(0x10, {0x07: 0xC481})
        self.lux = lux

    def readfrom_mem(self, address, register, count):
        conf = self.registers.get(0, 1)
        gain, ms = VEML_GAINS[conf >> 11 & 3], VEML_MS[conf >> 6 & 15]
        told = uncorrected(self.lux) if gain < 1 else self.lux
        self.registers[4] = int(min(told / (0.0042 * (2 / gain) * (800 / ms)), 65535))
        return super().readfrom_mem(address, register, count)


CHIPS = [(TSL2591, TslBox), (VEML7700, VemlBox)]


def settle(chip, clock, ms: int = 12_000):
    for _ in range(ms // 100):
        clock.pass_ms(100)
        chip.poll()
    return chip.read("light")


@pytest.mark.parametrize(("driver", "box"), CHIPS)
@pytest.mark.parametrize("lux", [0.02, 1, 30, 500, 8000, 60_000])
def test_it_finds_the_setting_for_any_light(driver, box, lux):
    clock = Clock()
    chip = driver(bus := box(lux), driver.address, clock)
    chip.read("light")
    assert settle(chip, clock) == pytest.approx(lux, rel=0.03, abs=0.005)
    bus.lux = 100
    settle(chip, clock)
    assert settle(chip, clock) == pytest.approx(100, rel=0.03)


@pytest.mark.parametrize(("driver", "box"), CHIPS)
def test_nothing_is_given_before_the_first_measurement_is_whole(driver, box):
    clock = Clock()
    chip = driver(box(500), driver.address, clock)
    assert chip.read("light") is None
    clock.pass_ms(20)
    assert chip.read("light") is None


@pytest.mark.parametrize(("driver", "box"), CHIPS)
def test_light_beyond_all_that_it_counts_is_no_number(driver, box):
    clock = Clock()
    chip = driver(box(400_000), driver.address, clock)
    chip.read("light")
    assert settle(chip, clock) is None


@pytest.mark.parametrize(("driver", "box"), CHIPS)
def test_a_sudden_light_is_no_number_until_it_was_measured(driver, box):
    clock = Clock()
    chip = driver(bus := box(0.1), driver.address, clock)
    chip.read("light")
    settle(chip, clock)
    bus.lux = 20_000
    seen = []
    for _ in range(100):
        clock.pass_ms(100)
        seen.append(chip.read("light"))
    assert seen[-1] == pytest.approx(20_000, rel=0.03)
    told = [each for each in seen if each is not None and abs(each - 20_000) > 600]
    assert told == pytest.approx([0.1] * len(told), rel=0.3), "only what was true before may be told"


@pytest.mark.parametrize(("driver", "box"), CHIPS)
@pytest.mark.parametrize("lux", [0.2, 30, 8000])
def test_what_is_given_was_measured_within_the_age_that_is_told(driver, box, lux):
    """The light changes at once; whatever is told of before may not be said to be surely of after, and the reverse."""
    clock = Clock()
    chip = driver(bus := box(lux), driver.address, clock)
    chip.read("light")
    settle(chip, clock)
    _, ms, _, _ = chip.ladder[chip._step]
    for _ in range(40):
        clock.pass_ms(ms // 3)
        chip.poll()
        assert chip.read("light") is not None
        age_us, within_us = chip.age()
        assert within_us == ms * 1100
        assert within_us <= age_us <= within_us + ms * 1100 + 2 * ms * 1000 // 3
    changed_us = clock.now_us
    bus.lux = 1.2 * lux
    seen = set()
    for _ in range(60):
        clock.pass_ms(ms // 3)
        chip.poll()
        value, (age_us, within_us) = chip.read("light"), chip.age()
        is_new = value > 1.1 * lux
        seen.add(is_new)
        if is_new:
            assert clock.now_us - age_us + within_us > changed_us
        else:
            assert clock.now_us - age_us - within_us < changed_us
    assert True in seen


@pytest.mark.parametrize(("driver", "box"), CHIPS)
def test_an_old_measurement_is_not_given(driver, box):
    clock = Clock()
    chip = driver(bus := box(500), driver.address, clock)
    chip.read("light")
    assert settle(chip, clock) is not None
    bus.registers[0xB3] = 0
    bus.readfrom_mem = lambda *_: bytes(4)
    clock.pass_ms(20_000)
    with pytest.raises(OSError, match="lost its supply"):
        chip.read("light")


def test_one_that_lost_its_supply_begins_anew():
    clock = Clock()
    chip = VEML7700(bus := VemlBox(500), 0x10, clock)
    chip.read("light")
    settle(chip, clock)
    bus.registers[0] = 1
    clock.pass_ms(5000)
    with pytest.raises(OSError, match="has lost its supply"):
        chip.read("light")
    chip.read("light")
    assert settle(chip, clock) == pytest.approx(500, rel=0.01)


@pytest.mark.parametrize(("driver", "box", "register"), [(TSL2591, TslBox, 0xB2), (VEML7700, VemlBox, 0x07)])
def test_another_chip_is_refused(driver, box, register):
    chip = driver(bus := box(1), driver.address, Clock())
    bus.registers[register] = 0x0A
    with pytest.raises(OSError, match="its id is 0x0a"):
        chip.read("light")


def test_infrared_alone_is_darkness():
    assert TSL2591(TslBox(1), 0x29, Clock())._lux_of((100, 120), 100) == 0.0


def test_a_count_of_the_veml_is_worth_what_its_datasheet_says():
    # At gain 2 in 800 ms, 0.0042 lx; at gain 1 in 100 ms, 0.0672; at an eighth in 25 ms, 2.1504.
    chip = VEML7700(VemlBox(1), 0x10, Clock())
    assert chip._lux_of((1000, 0), 1600) == pytest.approx(4.2)
    assert chip._lux_of((1000, 0), 100) == pytest.approx(67.2)
    assert chip._lux_of((400, 0), 25 / 8) == pytest.approx(860.16)
    bits = {rung[2] for rung in VEML7700.ladder}
    assert {0x08C0, 0x0000, 0x1300} <= bits  # typed from the datasheet's table 1


def test_bright_light_of_the_veml_is_corrected_as_drivers_cite_its_application_note():
    chip = VEML7700(VemlBox(1), 0x10, Clock())
    assert chip._lux_of((1500 / 2.1504, 0), 25 / 8) == pytest.approx(1658, abs=0.5), "the note's own example"
    # 10 000 lx uncorrected: 6013.5 - 9392.4 + 8148.8 + 10023.
    assert chip._lux_of((10_000 / 2.1504, 0), 25 / 8) == pytest.approx(14_792.9)
    assert chip._lux_of((1000 / 2.1504, 0), 25 / 8) == pytest.approx(1000)
    assert chip._lux_of((2000 / 0.0672, 0), 100) == pytest.approx(2000), "at a high gain there is no correction"
    rising = [chip._lux_of((count, 0), 25 / 8) for count in range(0, 11_000, 50)]
    assert rising == sorted(rising)
    assert chip._lux_of((25_000 / 2.1504, 0), 25 / 8) is None
