"""One axis: exact, within its limits and its speed, whatever happens to it."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from bench import CONFIG, BenchClock, RecordedAxis

from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.firmware.job import JobBook
from firmware_bridge.firmware.motion import Axis
from firmware_bridge.wire import number


class Rig:
    """An axis, a clock, and what is asked of them."""

    def __init__(self, **changed) -> None:
        item = {**CONFIG["axes"]["x"], **changed}
        self.clock = BenchClock()
        self.pins = RecordedAxis({key: value for key, value in item.items() if value is not None}, self.clock)
        self.pins.burst = 1
        self.axis = Axis(self.pins)
        self.jobs = JobBook()

    def pass_us(self, us, step_us=100):
        for _ in range(us // step_us):
            self.clock.now_us += step_us
            self.axis.advance(step_us)

    def finish(self, job, step_us=100):
        while job.state == "running":
            self.clock.now_us += step_us
            self.axis.advance(step_us)
        return job.told()

    def home(self):
        job = self.jobs.begin(self.axis)
        self.axis.home(job)
        return self.finish(job, step_us=400)

    def begin(self, by=None, to=None, speed=None):
        wanted = self.axis.target(by, to)
        job = self.jobs.begin(self.axis)
        self.axis.move(wanted, self.axis.checked_speed(speed), job)
        return job

    def move(self, by=None, to=None, speed=None):
        return self.finish(self.begin(by, to, speed))


@pytest.fixture
def rig():
    """Give an axis at its switch, 0.3125 um a step, without play."""
    rig = Rig(backlash=0)
    rig.pins.steps = -15990
    assert rig.home() == {"state": "done", "at": -5000.0, "why": ""}
    rig.pins.made_us.clear()
    return rig


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


def test_a_poll_that_comes_late_makes_no_burst(rig):
    job = rig.begin(by=1000)
    dice = random.Random(1)
    while job.state == "running":
        rig.pass_us(step := dice.choice((20, 50, 157, 300, 5000, 700_000)), step_us=step)
    waits = [after - before for before, after in pairwise(rig.pins.made_us)]
    assert min(waits) >= 156
    assert rig.axis.position_um == -4000


def test_a_driver_that_spaces_pulses_itself_gets_them_at_once_but_no_more_than_were_due(rig):
    rig.axis.burst = 100
    job = rig.begin(by=1000)
    rig.pass_us(400_000, step_us=1000)
    before = len(rig.pins.made_us)
    rig.pass_us(10_000_000, step_us=10_000_000)
    assert 0 < len(rig.pins.made_us) - before <= 100
    assert rig.finish(job, step_us=1000)["at"] == -4000


def test_a_driver_with_a_queue_gets_its_pulses_early_with_the_time_between_them(rig):
    now_us, busy_until_us, starved_us, early_us = 0, 0, 0, []

    def queue(direction, wait_us):
        nonlocal busy_until_us, starved_us
        starved_us += max(0, now_us - busy_until_us - wait_us) if early_us else 0
        busy_until_us = max(busy_until_us + wait_us, now_us)
        early_us.append(busy_until_us - now_us)
        rig.pins.steps += direction

    rig.axis.burst, rig.axis._ahead_us, rig.pins.queue = 1000, 20_000, queue
    job = rig.begin(by=500)
    while job.state == "running":
        step_us = 15_000 if now_us % 7 == 0 else 1001  # a poll that comes late now and then
        now_us += step_us
        rig.axis.advance(step_us)
    assert starved_us == 0
    assert max(early_us) <= 21_000
    assert now_us >= busy_until_us
    assert (rig.pins.steps, rig.axis.position_um) == (-16000 + 1600, -4500)


def test_a_driver_with_a_short_queue_is_never_given_more_than_it_holds(rig):
    now_us, last_us, due_us, most = 0, 0, [], 0

    def queue(direction, wait_us):
        nonlocal last_us, most
        last_us = max(last_us + wait_us, now_us)
        due_us.append(last_us)
        most = max(most, sum(due > now_us for due in due_us[-20:]))

    rig.axis.burst, rig.axis._ahead_us, rig.pins.queue = 8, 4000, queue
    job = rig.begin(by=500)
    while job.state == "running":
        now_us += 250
        rig.axis.advance(250)
    assert len(due_us) == 1600
    assert 6 <= most <= 9  # eight wait, and one is being made
    assert sum(after - before for before, after in pairwise(due_us)) < 1.01 * (500 / 2000 + 2000 / 8000) * 1e6


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


def test_a_driver_that_does_not_answer_fails_the_job_and_loses_the_position(rig):
    job = rig.begin(by=100)
    rig.pass_us(50_000)
    rig.pins.broken = True
    told = rig.finish(job)
    assert (told["state"], told["at"]) == ("failed", None)
    assert rig.axis.position_um is None


def test_the_motor_is_held_after_a_move_and_let_go_at_the_end(rig):
    rig.move(by=1)
    assert rig.pins.enabled
    rig.axis.close()
    assert not rig.pins.enabled


def test_jobs_are_kept_to_a_number():
    book = JobBook()
    rig = Rig()
    jobs = []
    for _ in range(20):
        jobs.append(book.begin(rig.axis))
        jobs[-1].end("done")
    assert [job.number for job in jobs] == list(range(1, 21))
    assert book.job(13) is jobs[12]
    with pytest.raises(FirmwareError) as caught:
        book.job(12)
    assert caught.value.rc == number.NO_JOB


def test_moves_over_the_wire_answer_with_a_job_that_is_asked_after(bench):
    bench.open(5000)
    bench.home()
    job = bench.do(number.MOVE, {"axis": "x", "by": 100, "speed": 1000})["job"]
    assert bench.ask(number.JOB, {"job": job})["state"] == "running"
    assert bench.rc(bench.do(number.MOVE, {"axis": "x", "by": 1})) == number.BUSY
    assert bench.finish(job) == {"state": "done", "at": -4900.0, "why": "", "t": bench.server.clock.now()}
    assert bench.server.pause_us == 1000
    job = bench.do(number.MOVE, {"axis": "x", "by": 100})["job"]
    assert bench.server.pause_us == 0
    bench.ask(number.STOP, {"axis": "x"}, 2)
    assert bench.finish(job)["state"] == "stopped"


def test_a_job_that_runs_is_never_forgotten():
    book = JobBook()
    long, short = Rig(), Rig(home=None)
    short.home()
    running = book.begin(long.axis)
    for _ in range(20):
        job = book.begin(short.axis)
        job.end("done")
    assert book.job(running.number) is running
    assert book.job(job.number) is job
    assert len(book._jobs) == 8


@pytest.mark.parametrize("command", [number.HOME, number.MOVE])
def test_a_driver_that_does_not_answer_at_the_start_is_told_and_leaves_no_job(bench, command):
    bench.open(5000)
    bench.home("z")
    bench.parts.axes["z"].broken = True
    answer = bench.do(command, {"axis": "z", "by": 1})
    assert bench.rc(answer) == number.HARDWARE
    assert bench.ask(number.JOB, {"job": 2})["state"] == "failed"
    bench.parts.axes["z"].broken = False
    assert bench.rc(bench.do(number.MOVE, {"axis": "z", "by": 1})) == 0


def test_homing_that_is_stopped_ends_at_the_switch_at_the_latest():
    rig = Rig(home={"pin": 7, "to": -1, "at": -5000, "speed": 2000})
    job = rig.jobs.begin(rig.axis)
    rig.axis.home(job)
    while rig.pins.steps > -15990:
        rig.pass_us(100)
    rig.axis.stop("stopped")
    assert rig.finish(job)["state"] == "stopped"
    assert rig.pins.steps == -16000
