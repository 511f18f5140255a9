"""Outputs live on a lease."""

from __future__ import annotations

import pytest
from bench import Bench

from firmware_bridge.wire import number
from firmware_bridge.wire.message import WRITE


def set_all(bench):
    for name, value in (("heater", 1), ("lamp", [9, 9, 9]), ("fan", 0), ("laser", 0.5)):
        assert bench.do(number.SET, {"name": name, "value": value})["value"] == value


def now(bench):
    return [bench.parts.outputs[name].now for name in ("heater", "lamp", "fan", "laser")]


def test_when_it_runs_out_every_output_is_safe_within_one_poll(bench):
    bench.open(250)
    set_all(bench)
    bench.pass_us(249_999)
    assert now(bench) == [1, [9, 9, 9], 0, 0.5]
    bench.clock.now_us += 1
    bench.server.poll()
    assert now(bench) == [0, [0, 0, 0], 1, 0]
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1})) == number.NO_LEASE


def test_a_poll_that_comes_late_ends_it_before_a_command_runs(bench):
    bench.open(250)
    set_all(bench)
    bench.clock.now_us += 10_000_000
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1})) == number.NO_LEASE
    assert now(bench) == [0, [0, 0, 0], 1, 0]


def test_renewing_keeps_outputs_as_they_are(bench):
    bench.open(1000)
    set_all(bench)
    for _ in range(50):
        bench.pass_us(200_000)
        assert bench.do(number.LEASE, {"ms": 1000})["ms"] == 1000
    assert now(bench) == [1, [9, 9, 9], 0, 0.5]


def test_an_output_of_a_shorter_lease_is_safe_sooner(bench):
    bench.open(5000)
    set_all(bench)
    bench.pass_us(301_000)
    assert now(bench) == [1, [9, 9, 9], 0, 0]
    bench.do(number.LEASE, {"ms": 5000})
    assert now(bench)[3] == 0


def test_it_is_cut_to_the_longest(bench):
    assert bench.open(60_000)["ms"] == 5000
    assert bench.do(number.LEASE, {"ms": 60_000})["ms"] == 5000
    bench.pass_us(5_001_000, step_us=5000)
    assert bench.ask(number.HELLO)["state"] == "idle"


def test_given_back_everything_is_safe_at_once(bench):
    bench.open(5000)
    set_all(bench)
    answer = bench.do(number.LEASE, {"ms": 0})
    assert (answer["ms"], answer["state"]) == (0, "idle")
    assert now(bench) == [0, [0, 0, 0], 1, 0]


def test_the_same_session_goes_on_after_it_ran_out(bench):
    bench.open(100)
    bench.pass_us(200_000)
    assert bench.do(number.LEASE, {"ms": 1000})["state"] == "live"
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1})) == 0


@pytest.mark.parametrize("renewed", [False, True])
def test_an_output_that_is_set_for_a_time_becomes_safe_by_itself(bench, renewed):
    bench.open(5000)
    bench.do(number.SET, {"name": "heater", "value": 1, "ms": 50})
    bench.pass_us(49_000)
    if renewed:
        bench.do(number.LEASE, {"ms": 5000})
    assert bench.parts.outputs["heater"].now == 1
    bench.pass_us(2_000)
    assert bench.parts.outputs["heater"].now == 0


def test_setting_again_without_a_time_takes_the_time_away(bench):
    bench.open(5000)
    bench.do(number.SET, {"name": "heater", "value": 1, "ms": 50})
    bench.do(number.SET, {"name": "heater", "value": 0.5})
    bench.pass_us(100_000)
    assert bench.parts.outputs["heater"].now == 0.5


def test_a_wrapping_counter_ends_no_lease_early_or_late(tmp_path):
    bench = Bench(str(tmp_path), start_us=(1 << 30) - 100_000)
    bench.open(250)
    set_all(bench)
    bench.pass_us(249_000)
    assert now(bench)[0] == 1
    bench.pass_us(1_000)
    assert now(bench)[0] == 0


def test_axes_stop_when_it_runs_out_and_keep_their_position(bench):
    bench.open(5000)
    bench.home()
    job = bench.do(number.MOVE, {"axis": "x", "to": 5000})["job"]
    bench.do(number.LEASE, {"ms": 100})
    bench.pass_us(2_000_000, step_us=200)
    told = bench.ask(number.JOB, {"job": job})
    assert (told["state"], told["why"]) == ("stopped", "the lease ran out")
    assert -5000 < told["at"] < -4000


@pytest.mark.parametrize("error", [OSError, ValueError, MemoryError])
def test_an_output_that_cannot_be_made_safe_keeps_no_other_from_it(bench, monkeypatch, error):
    def fail(value):
        raise error

    bench.open(250)
    set_all(bench)
    heater = bench.parts.outputs["heater"]
    monkeypatch.setattr(heater, "write", fail)
    bench.pass_us(300_000)
    assert now(bench)[1:] == [[0, 0, 0], 1, 0]
    assert "heater cannot be made safe" in bench.server.lease.fault
    monkeypatch.undo()
    bench.pass_us(150_000)
    assert heater.now == 0


def test_outputs_are_safe_though_an_axis_cannot_be_stopped(bench, monkeypatch):
    def fail(why):
        raise MemoryError

    bench.open(5000)
    set_all(bench)
    monkeypatch.setattr(bench.server.machine.axes["x"], "stop", fail)
    bench.ask(number.STOP, {}, WRITE)
    assert now(bench) == [0, [0, 0, 0], 1, 0]
