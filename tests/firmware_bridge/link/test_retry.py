from __future__ import annotations

import random

import pytest
from stand import Stand

from firmware_bridge.link.retry import LEAST_S, RoundTrip


def ask(trip: RoundTrip, way_s: float, lost: float, dice: random.Random) -> int:
    """Have a request go over a line that takes so long and loses a share of requests; give how often it was sent."""
    wait_s, sent_s, sends, answer_s = trip.timeout_s, 0.0, 0, float("inf")
    while True:
        sends += 1
        if dice.random() >= lost:
            answer_s = min(answer_s, sent_s + way_s)
        if answer_s <= sent_s + wait_s:
            break
        sent_s += wait_s
        wait_s *= 2
    if sends == 1:
        trip.measured(answer_s)
    else:
        trip.unmeasured(wait_s, answer_s - sent_s)
    return sends


@pytest.mark.parametrize("way_s", [0.12, 0.24, 0.29, 0.31, 0.7, 1.5])
def test_a_way_longer_than_the_first_time_out_is_learned(way_s: float) -> None:
    trip, dice = RoundTrip(), random.Random(1)
    sends = [ask(trip, way_s, 0.0, dice) for _ in range(40)]
    assert set(sends[20:]) == {1}
    assert trip.smoothed_s == pytest.approx(way_s)


@pytest.mark.parametrize("way_s", [0.06, 0.08, 0.12, 0.24, 0.31, 0.7, 1.5])
def test_a_way_that_becomes_longer_is_learned(way_s: float) -> None:
    trip, dice = RoundTrip(), random.Random(1)
    for _ in range(50):
        ask(trip, 0.003, 0.0, dice)
    sends = [ask(trip, way_s, 0.0, dice) for _ in range(200)]
    assert set(sends[100:]) == {1}


@pytest.mark.parametrize("seed", range(5))
def test_on_a_line_that_loses_a_third_the_time_out_stays_short(seed: int) -> None:
    trip, dice = RoundTrip(), random.Random(seed)
    waits_s = []
    for _ in range(500):
        ask(trip, 0.003, 0.55, dice)  # a third each way
        waits_s.append(trip.timeout_s)
    assert max(waits_s[20:]) == LEAST_S


def test_a_line_with_long_ways_is_asked_once_and_its_clock_known() -> None:
    stand = Stand("sim://incubator?latency_ms=120").open()
    for number in range(12):
        stand.bridge.echo(str(number))
    before = stand.bridge.statistics.retransmits
    for _ in range(10):
        stand.bridge.look()
    assert stand.bridge.statistics.retransmits == before
    assert stand.bridge.clock.offset.uncertainty_s == pytest.approx(0.12, abs=0.01)
    stand.close()


def test_the_clock_is_known_though_all_had_to_be_asked_again() -> None:
    stand = Stand("sim://incubator?latency_ms=70").open()  # longer than the first time-out, there and back
    assert stand.bridge.statistics.round_trip_s is None
    assert stand.bridge.clock.offset.uncertainty_s == pytest.approx(0.07, abs=0.01)
    stand.close()
