"""One axis: exact, within its limits and its speed, whatever happens to it."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from rig import Rig

from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.wire import number


def test_a_thousand_relative_moves_land_exactly():
    rig = Rig(um_per_step=0.3)
    rig.home()
    rig.axis.burst = 1 << 20
    dice = random.Random(3)
    wanted_nm = -5_000_000
    for _ in range(1000):
        by_nm = dice.randint(-300_000, 300_000)
        if not -5_000_000 <= wanted_nm + by_nm <= 5_000_000:
            by_nm = -by_nm
        wanted_nm += by_nm
        told = rig.finish(rig.begin(by=by_nm / 1000), step_us=50_000)
        assert abs(told["at"] * 1000 - wanted_nm) <= 150.001
    assert rig.axis.position == round(wanted_nm / 300)


def test_moves_far_below_a_step_add_up(rig):
    for _ in range(1000):
        rig.move(by=0.1)
    assert rig.axis.position_um == -4900
    assert rig.pins.steps == -16000 + 320


def test_steps_are_made_and_counted_alike(rig):
    for to in (-4000, -4500.2, -4999.9, -3000):
        rig.move(to=to)
        assert rig.pins.steps == rig.axis.position
        assert abs(rig.axis.position_um - to) <= 0.3125 / 2


def test_it_speeds_up_and_slows_down_within_its_acceleration_and_speed(rig):
    rig.finish(rig.begin(by=1000), step_us=10)
    made_s = [us / 1e6 for us in rig.pins.made_us]
    assert len(made_s) == 3200
    waits = [after - before for before, after in pairwise(made_s)]
    assert min(waits) >= 0.3125 / 2000
    for k in range(1, 200):  # v^2 = 2 a s
        assert 0.3125 / (waits[k] + 1e-5) <= math.sqrt(2 * 8000 * (k + 1) * 0.3125)
        assert 0.3125 / (waits[-1 - k] + 1e-5) <= math.sqrt(2 * 8000 * (k + 2) * 0.3125)
    assert waits[0] > 4 * waits[1600]
    assert waits[-1] > 4 * waits[1600]


def test_a_slower_speed_may_be_asked_for(rig):
    rig.move(by=100, speed=100)
    waits = [after - before for before, after in pairwise(rig.pins.made_us)]
    assert min(waits[50:-50]) >= 3125 - 100  # a poll's
    assert sum(waits) / len(waits) < 3300


def test_play_is_taken_up_where_the_direction_changes():
    rig = Rig(backlash=12)
    rig.home()
    play = round(12 / 0.3125)
    assert rig.pins.steps == -16000
    rig.move(by=100)
    assert rig.pins.steps == -16000 + play + 320
    rig.move(by=100)
    assert rig.pins.steps == -16000 + play + 640
    rig.move(by=-50)
    assert rig.pins.steps == -16000 + 640 - 160
    rig.move(by=50)
    assert rig.pins.steps == -16000 + play + 640
    assert rig.axis.position_um == -4800


def test_with_play_the_load_is_where_it_is_said_to_be_wherever_it_is_stopped():
    rig = Rig(backlash=12)
    rig.home()
    play = round(12 / 0.3125)
    dice = random.Random(2)
    low, load = -16000, -16000  # of the play: the load follows the motor's pushes
    rig.move(by=1000)
    low = rig.pins.steps - play
    load = low
    for turn in range(60):
        job = rig.begin(to=dice.uniform(-4500, -3500))
        rig.pass_us(dice.randrange(100_000), step_us=200)
        rig.axis.stop("stopped")
        before = rig.pins.steps
        rig.finish(job)
        assert abs(rig.pins.steps - before) < 1000, turn
    rig.move(to=-4000)
    rig.move(to=-3990)  # forward last: the play lies behind
    load = rig.pins.steps - play
    assert load == rig.axis.position == round(-3990 / 0.3125)


def test_stop_slows_down_and_keeps_the_position(rig):
    job = rig.begin(by=3000)
    rig.pass_us(500_000)
    rig.axis.stop("stopped")
    count = len(rig.pins.made_us)
    told = rig.finish(job)
    assert told["state"] == "stopped"
    way_um = (len(rig.pins.made_us) - count) * 0.3125
    assert 0 < way_um <= 2000**2 / 2 / 8000 + 1
    assert rig.pins.steps == rig.axis.position
    assert told["at"] == rig.axis.position_um
    rig.move(by=100)
    assert abs(rig.axis.position_um - told["at"] - 100) <= 0.3125 / 2


def test_stop_at_once_makes_no_step_more_and_the_position_is_unknown(rig):
    job = rig.begin(by=3000)
    rig.pass_us(500_000)
    rig.axis.stop("stopped", at_once=True)
    assert job.told() == {"state": "stopped", "at": None, "why": "stopped"}
    count = len(rig.pins.made_us)
    rig.pass_us(10_000)
    assert len(rig.pins.made_us) == count


def test_stop_before_the_first_step_ends_the_job_at_once(rig):
    job = rig.begin(by=3000)
    rig.axis.stop("stopped")
    assert job.told() == {"state": "stopped", "at": -5000.0, "why": "stopped"}


def test_stop_of_what_rests_is_harmless(rig):
    rig.axis.stop("stopped")
    assert rig.axis.position_um == -5000


@pytest.mark.parametrize("way", [{"to": 5000.01}, {"to": -5001}, {"by": -0.01}, {"by": 10001}, {"to": 1e300}])
def test_a_move_out_of_its_range_is_refused_whole(rig, way):
    with pytest.raises(FirmwareError) as caught:
        rig.begin(**way)
    assert caught.value.rc == number.RANGE
    assert not rig.axis.moving


@pytest.mark.parametrize("speed", [0, -1, 2001, float("nan")])
def test_a_speed_out_of_its_range_is_refused(rig, speed):
    with pytest.raises(FirmwareError) as caught:
        rig.begin(by=1, speed=speed)
    assert caught.value.rc == number.RANGE


def test_one_job_at_a_time(rig):
    job = rig.begin(by=100)
    with pytest.raises(FirmwareError) as caught:
        rig.begin(by=1)
    assert caught.value.rc == number.BUSY
    assert str(job.number) in caught.value.why
    rig.axis.stop("stopped")
    rig.finish(job)
    rig.move(by=1)


def test_the_motor_is_held_after_a_move_and_let_go_at_the_end(rig):
    rig.move(by=1)
    assert rig.pins.enabled
    rig.axis.close()
    assert not rig.pins.enabled
