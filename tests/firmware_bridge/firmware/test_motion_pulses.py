"""Pulses come as their driver can take them."""

from __future__ import annotations

import random
from itertools import pairwise


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


def test_a_driver_that_does_not_answer_fails_the_job_and_loses_the_position(rig):
    job = rig.begin(by=100)
    rig.pass_us(50_000)
    rig.pins.broken = True
    told = rig.finish(job)
    assert (told["state"], told["at"]) == ("failed", None)
    assert rig.axis.position_um is None
