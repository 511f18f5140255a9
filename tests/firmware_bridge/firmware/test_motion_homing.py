"""An axis finds its switch, or says that it did not."""

from __future__ import annotations

import pytest
from rig import Rig

from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.wire import number


@pytest.mark.parametrize("steps", [-15000, 5000, -16000, -16200])
def test_homing_finds_the_switch_from_either_side(steps):
    rig = Rig()
    rig.pins.steps = steps
    assert rig.home() == {"state": "done", "at": -5000.0, "why": ""}
    assert rig.pins.steps == -16000


def test_homing_towards_the_upper_end_leaves_the_play_behind():
    rig = Rig(home={"pin": 7, "to": 1, "at": 5000})
    rig.pins.at_switch = lambda: rig.pins.steps >= 20000
    rig.home()
    assert rig.pins.steps == 20000
    rig.move(by=-10)
    assert rig.pins.steps == 20000 - 32 - round(12 / 0.3125)


def test_a_switch_that_never_closes_fails_after_the_range_and_a_fifth():
    rig = Rig()
    rig.pins.switch_at = -1 << 30
    told = rig.home()
    assert (told["state"], told["at"]) == ("failed", None)
    assert "was not found" in told["why"]
    assert 32000 < 1000 - rig.pins.steps <= 32000 * 1.2 + 50


def test_a_switch_that_never_opens_fails():
    rig = Rig()
    rig.pins.switch_at = 1 << 30
    told = rig.home()
    assert (told["state"], told["why"]) == ("failed", "the home switch stays closed")
    assert rig.pins.steps - 1000 <= 32000 * 0.1 + 50


def test_homing_that_takes_too_long_fails():
    rig = Rig()
    rig.axis.burst = 0  # a motor that gets no pulses
    told = rig.home()
    assert told == {"state": "failed", "at": None, "why": "the home switch was not found in time"}


def test_homing_that_is_stopped_leaves_the_position_unknown(rig):
    job = rig.jobs.begin(rig.axis)
    rig.pins.steps = 0
    rig.axis.home(job)
    rig.pass_us(500_000)
    rig.axis.stop("stopped")
    assert rig.finish(job) == {"state": "stopped", "at": None, "why": "stopped"}
    with pytest.raises(FirmwareError) as caught:
        rig.begin(by=1)
    assert caught.value.rc == number.NOT_HOMED


def test_without_a_switch_it_is_at_0_where_it_is_homed():
    rig = Rig(home=None)
    with pytest.raises(FirmwareError) as caught:
        rig.begin(by=1)
    assert caught.value.rc == number.NOT_HOMED
    assert rig.home() == {"state": "done", "at": 0.0, "why": ""}
    assert rig.move(by=-10)["at"] == -10


def test_homing_that_is_stopped_ends_at_the_switch_at_the_latest():
    rig = Rig(home={"pin": 7, "to": -1, "at": -5000, "speed": 2000})
    job = rig.jobs.begin(rig.axis)
    rig.axis.home(job)
    while rig.pins.steps > -15990:
        rig.pass_us(100)
    rig.axis.stop("stopped")
    assert rig.finish(job)["state"] == "stopped"
    assert rig.pins.steps == -16000
