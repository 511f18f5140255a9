from __future__ import annotations

import random

import pytest

from firmware_bridge.session.clock import Clock

WRAP = 1 << 32


class Other:
    """A microcontroller's clock: drifting, wrapped, asked over a line whose two ways take unevenly long."""

    def __init__(self, seed: int, *, ppm: float, start_us: int) -> None:
        self.dice = random.Random(seed)
        self.rate = 1 + ppm * 1e-6
        self.start_us = start_us

    def told_us(self, at_s: float) -> int:
        return int(self.start_us + at_s * self.rate * 1e6) % WRAP

    def round_trip(self, clock: Clock, at_s: float) -> float:
        """Ask once; give when the answer was there."""
        there_s, back_s = (0.0002 + self.dice.expovariate(1 / mean_s) for mean_s in (0.004, 0.0005))
        if self.dice.random() < 0.05:
            back_s += self.dice.uniform(0, 0.3)
        clock.note(self.told_us(at_s + there_s), at_s, at_s + there_s + back_s)
        return at_s + there_s + back_s


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("ppm", [-200.0, 0.0, 37.0, 200.0])
def test_a_reading_lies_within_the_uncertainty_that_was_stated(seed: int, ppm: float) -> None:
    other = Other(seed, ppm=ppm, start_us=WRAP - 5_030_000_000)  # it wraps half a minute after the first
    clock, now_s, widest_s = Clock(), 5000.0, 0.0
    for number in range(400):
        now_s = other.round_trip(clock, now_s) + other.dice.choice([0.2, 0.2, 0.01, 1.5])
        taken_s = now_s - other.dice.uniform(0, 2)
        moment = clock.moment(other.told_us(taken_s))
        assert abs(moment.time_s - taken_s) <= moment.uncertainty_s + 2e-6
        if number > 20:
            widest_s = max(widest_s, moment.uncertainty_s)
    assert widest_s < 0.03
    assert clock.drift == pytest.approx(ppm * 1e-6, abs=150e-6)


def test_the_estimate_is_better_than_what_is_promised() -> None:
    other, clock, now_s = Other(3, ppm=80, start_us=0), Clock(), 0.0
    errors = []
    for number in range(300):
        now_s = other.round_trip(clock, now_s) + 0.2
        moment = clock.moment(other.told_us(now_s))
        if number > 100:
            errors.append((abs(moment.time_s - now_s), moment.uncertainty_s))
    assert sum(error for error, _ in errors) < 0.8 * sum(stated for _, stated in errors)


@pytest.mark.parametrize("gap_s", [3_000.0, 5_000.0, 100_000.0])
def test_a_long_silence_over_several_wraps_is_bridged(gap_s: float) -> None:
    other, clock, now_s = Other(1, ppm=150, start_us=7), Clock(), 10.0
    for _ in range(50):
        now_s = other.round_trip(clock, now_s) + 0.2
    now_s += gap_s
    now_s = other.round_trip(clock, now_s)
    moment = clock.moment(other.told_us(now_s))
    assert abs(moment.time_s - now_s) <= moment.uncertainty_s < 0.3


def test_nothing_is_told_before_anything_is_known() -> None:
    clock = Clock()
    assert not clock.is_known
    with pytest.raises(ValueError, match="nothing is known"):
        clock.moment(0)


def test_a_clock_that_began_anew_is_learnt_anew() -> None:
    clock = Clock()
    clock.note(4_000_000_000, 10.0, 10.001)
    clock.reset()
    clock.note(500, 20.0, 20.001)
    moment = clock.moment(1500)
    assert moment.time_s == pytest.approx(20.0015, abs=0.001)
    assert moment.uncertainty_s < 0.001


def test_a_clock_that_drifts_more_than_any_may_is_told_with_more_uncertainty() -> None:
    clock = Clock()
    for number in range(60):
        clock.note(int(number * 1e6 * 1.01), float(number), number + 0.001)
    assert clock.moment(int(59.5e6 * 1.01)).uncertainty_s > 0.005
