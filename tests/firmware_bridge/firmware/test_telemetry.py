"""Readings wait in a ring, and what is lost is seen."""

from __future__ import annotations

import random
import sys

import pytest

from firmware_bridge.firmware.hardware import NOW
from firmware_bridge.firmware.telemetry import Telemetry
from firmware_bridge.wire import number
from firmware_bridge.wire.cbor import decode


def watched(bench, names, us=1000):
    return bench.do(number.WATCH, {"names": names, "us": us})


def test_readings_come_by_index_with_the_time_of_each(bench):
    bench.open(5000)
    assert watched(bench, ["light", "door"]) == {"us": 1000, "next": 0, "t": 0}
    bench.pass_us(10_000)
    told = bench.ask(number.READINGS, {"from": 0, "most": 6})
    assert (told["first"], told["next"], told["names"]) == (0, 20, ["light", "door"])
    assert told["rows"] == [[1000 * (1 + at // 2), at % 2, 21.5] for at in range(6)]
    told = bench.ask(number.READINGS, {"from": 18, "most": 50})
    assert (told["first"], len(told["rows"])) == (18, 2)
    told = bench.ask(number.READINGS, {"from": 20, "most": 50})
    assert (told["first"], told["rows"]) == (20, [])


def test_a_reading_has_the_time_at_which_its_chip_measured(bench):
    bench.open(5000)
    watched(bench, ["light", "door"])
    bench.pass_us(10_000)
    bench.parts.sensors["light"].measured = (4500, 800)
    bench.pass_us(1000)
    told = bench.ask(number.READINGS, {"from": 20, "most": 6})
    assert told["rows"] == [[6500, 0, 21.5], [11_000, 1, 21.5]]
    assert told["within"] == [800, 0]


def test_the_time_of_a_reading_from_before_the_clock_wrapped_is_before_it(bench):
    bench.open(5000)
    bench.parts.sensors["light"].measured = (4500, 0)
    watched(bench, ["light"])
    bench.pass_us(1000)
    assert bench.ask(number.READINGS, {"from": 0, "most": 1})["rows"][0][0] == (1 << 32) - 3500


def test_what_is_asked_after_a_slow_chip_has_the_time_at_which_it_was_measured(bench):
    light = bench.parts.sensors["light"]

    def asked():
        bench.clock.now_us += 3000
        return 21.5

    light.read, light.measured = asked, (1000, 0)
    bench.open(5000)
    watched(bench, ["light", "door"])
    bench.pass_us(1000)
    told = bench.ask(number.READINGS, {"from": 0, "most": 2})
    assert told["rows"] == [[3000, 0, 21.5], [4000, 1, 21.5]]
    watched(bench, [], 0)
    told = bench.ask(number.READ_VALUE, {"name": "light"})
    assert told["t"] - told["age"] == bench.clock.now_us - 1000


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]])
def test_how_far_off_times_may_be_is_told_for_all_that_the_ring_holds(names):
    dice, held = random.Random(7), []
    telemetry = Telemetry(8, lambda name: 1, lambda name: (0, held[-1][1]))
    telemetry.watch(names, 1000)
    for turn in range(2000):
        held.append(("a", dice.choice((100, 100, 100, 200, 400, 800)) if turn < 1900 else 100))
        telemetry.advance(1000, 0)
        ringful = held[-(8 // len(names)) :]
        assert telemetry.within[0] >= max(within for _, within in ringful)
    assert telemetry.within == [100] * len(names)


def test_what_was_written_over_is_seen_as_a_gap(bench):
    bench.open(5000)
    watched(bench, ["light"])
    bench.pass_us(600_000)
    told = bench.ask(number.READINGS, {"from": 0, "most": 1})
    assert (told["first"], told["next"]) == (600 - 512, 600)
    assert told["rows"][0][0] == 1000 * (600 - 512 + 1)


def test_a_sensor_that_fails_is_a_marked_reading_and_the_rest_goes_on(bench):
    bench.open(5000)
    watched(bench, ["light", "door"])
    bench.parts.sensors["light"].broken = True
    bench.pass_us(1000)
    bench.parts.sensors["light"].broken = False
    bench.parts.sensors["door"].value = None
    bench.pass_us(1000)
    bench.parts.sensors["door"].value = float("nan")
    bench.pass_us(1000)
    told = bench.ask(number.READINGS, {"from": 0, "most": 50})
    assert [row[2] for row in told["rows"]] == [None, 21.5, 21.5, None, 21.5, None]


def test_outputs_and_axes_can_be_watched_too(bench):
    bench.open(5000)
    bench.do(number.SET, {"name": "heater", "value": 0.25})
    watched(bench, ["heater", "x"])
    bench.pass_us(1000)
    assert [row[2] for row in bench.ask(number.READINGS, {"from": 0, "most": 2})["rows"]] == [0.25, None]


def test_the_period_is_kept_without_drift_under_uneven_polls():
    read = []
    telemetry = Telemetry(4096, lambda name: read.append(name) or 1, lambda name: NOW)
    telemetry.watch(["a"], 1000)
    now_us = 0
    for turn in range(20_000):
        step_us = (313, 401, 77, 209)[turn % 4]
        now_us += step_us
        telemetry.advance(step_us, now_us)
    assert abs(len(read) - now_us // 1000) <= 1
    rows = decode(telemetry.rows(0, 5000)[1].data)
    late_us = [row[0] % 1000 for row in rows]
    assert max((at - late_us[0]) % 1000 for at in late_us) <= 401


def test_periods_that_were_missed_are_left_out_and_not_made_up():
    telemetry = Telemetry(64, lambda name: 1, lambda name: NOW)
    telemetry.watch(["a"], 1000)
    for step_us in (1000, 10_500, 500, 1000):
        telemetry.advance(step_us, 0)
    assert telemetry.next == 4
    telemetry.advance(999, 0)
    assert telemetry.next == 4
    telemetry.advance(1, 0)
    assert telemetry.next == 5


def test_the_period_is_at_least_a_millisecond_and_what_the_sensors_can_do(bench):
    bench.open(5000)
    assert watched(bench, ["light"], 1)["us"] == 1000
    assert watched(bench, ["light", "temperature"], 1500)["us"] == 2000
    assert watched(bench, ["heater"], 70_000)["us"] == 70_000


def test_a_period_of_0_ends_it_and_indexes_go_on(bench):
    bench.open(5000)
    watched(bench, ["light"])
    bench.pass_us(5000)
    assert watched(bench, [], 0)["us"] == 0
    bench.pass_us(5000)
    told = bench.ask(number.READINGS, {"from": 0, "most": 50})
    assert (told["first"], told["next"], told["rows"]) == (5, 5, [])
    assert watched(bench, ["door"])["next"] == 5
    bench.pass_us(1000)
    told = bench.ask(number.READINGS, {"from": 2, "most": 50})
    assert (told["first"], told["names"], len(told["rows"])) == (5, ["door"], 1)


def test_names_that_leave_no_room_for_a_reading_are_refused_and_not_found_out_later(bench):
    bench.open(5000)
    bench.server.buffer_bytes = 300
    assert bench.rc(watched(bench, ["temperature"] * 12)) == number.RANGE
    assert watched(bench, ["temperature"] * 11)["us"] == 2000
    bench.pass_us(10_000)
    assert bench.ask(number.READINGS, {"from": 0, "most": 50})["rows"] == [[1000, 0, 21.5]]


def test_readings_fit_into_an_answer_with_the_longest_names(bench):
    bench.open(5000)
    watched(bench, ["temperature", "humidity"] * 8, 2000)
    bench.pass_us(100_000)
    told = bench.ask(number.READINGS, {"from": 0, "most": 500})
    assert 20 < len(told["rows"]) < 50
    assert bench.server.failures == 0


@pytest.mark.parametrize("readings", [10, 100_000])
def test_memory_does_not_grow_with_readings(readings):
    telemetry = Telemetry(32, lambda name: 1.5, lambda name: NOW)
    telemetry.watch(["a"], 1000)
    parts = (telemetry._times, telemetry._which, telemetry._values)
    before = [sys.getsizeof(part) for part in parts]
    for _ in range(readings):
        telemetry.advance(1000, 5)
    assert [sys.getsizeof(part) for part in parts] == before
    assert telemetry.next == readings


def test_a_watch_on_a_sensor_that_fails_can_begin_and_end(bench):
    bench.open(5000)
    bench.parts.sensors["light"].broken = True
    assert watched(bench, ["light"])["us"] == 1000
    assert watched(bench, ["light"], 0)["us"] == 0


def test_a_driver_that_breaks_down_ends_neither_the_others_nor_the_lease(bench, monkeypatch):
    def fail():
        raise ValueError

    bench.open(5000)
    watched(bench, ["light", "door"])
    monkeypatch.setattr(bench.parts.sensors["light"], "read", fail)
    bench.pass_us(2_000)
    rows = bench.ask(number.READINGS, {"from": 0, "most": 4})["rows"]
    assert [value for _, _, value in rows] == [None, 21.5] * 2
