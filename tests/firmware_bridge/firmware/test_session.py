"""Who may command, and that each command runs at most once."""

from __future__ import annotations

import random

from bench import SESSION

from firmware_bridge.wire import number
from firmware_bridge.wire.message import WRITE


def test_a_doubled_request_runs_once_and_is_answered_twice(bench):
    bench.open()
    request = bench.request(number.SET, {"s": SESSION, "n": 1, "name": "heater", "value": 0.5}, WRITE)
    first, second = bench.answers(request + request)
    assert first == second
    bench.pass_us(10_000)
    (third,) = bench.answers(request)
    assert third == first  # with the time of the first
    assert bench.parts.outputs["heater"].written == [0, 0.5]


def test_a_late_request_is_refused(bench):
    bench.open()
    late = bench.request(number.SET, {"s": SESSION, "n": 1, "name": "heater", "value": 1}, WRITE)
    bench.answers(late)
    bench.do(number.SET, {"name": "heater", "value": 0}, n=2)
    (answer,) = bench.answers(late)
    assert bench.rc(answer.body) == number.OLD
    assert bench.parts.outputs["heater"].now == 0


def test_a_number_that_was_refused_is_refused_again_the_same(bench):
    bench.open(1)
    bench.pass_us(2_000)
    first = bench.do(number.SET, {"name": "heater", "value": 1}, n=1)
    assert bench.rc(first) == number.NO_LEASE
    bench.do(number.LEASE, {"ms": 1000})
    assert bench.do(number.SET, {"name": "heater", "value": 1}, n=1) == first


def test_each_lane_has_numbers_of_its_own(bench):
    bench.open()
    assert bench.rc(bench.do(number.LEASE, {"ms": 1000}, n=40)) == 0
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1}, n=1)) == 0
    assert bench.rc(bench.do(number.LEASE, {"ms": 1000}, n=39)) == number.OLD


def test_relative_moves_under_doubled_and_late_requests_run_once_each(bench):
    dice = random.Random(5)
    bench.open(5000)
    bench.home()
    sent = []
    runs = 0
    for n in range(100, 160):
        sent.append(bench.request(number.MOVE, {"s": SESSION, "n": n, "axis": "x", "by": 10}, WRITE))
        copies = [sent[-1]] * dice.randint(1, 3) + dice.sample(sent[:-1], min(len(sent) - 1, 2))
        answers = bench.answers(b"".join(copies))
        runs += len({answer.body["job"] for answer in answers if "job" in answer.body})
        bench.finish(max(answer.body.get("job", 0) for answer in answers))
    assert runs == 60
    assert bench.ask(number.READ_VALUE, {"name": "x"})["value"] == -5000 + 600


def test_settling_tells_what_became_of_a_command(bench):
    bench.open()
    done = bench.do(number.SET, {"name": "heater", "value": 0.5}, n=4)
    body = {"s": SESSION, "n": 4, "of": "w"}
    settled = bench.ask(number.SETTLE, body, WRITE)
    assert (settled["ran"], settled["r"]) == (True, done)
    assert bench.rc(bench.ask(number.SETTLE, {**body, "n": 3}, WRITE)) == number.OLD
    assert bench.ask(number.SETTLE, {**body, "of": "s"}, WRITE)["ran"] is False


def test_what_was_settled_never_runs_later(bench):
    bench.open()
    late = bench.request(number.SET, {"s": SESSION, "n": 7, "name": "heater", "value": 1}, WRITE)
    for _ in range(2):
        settled = bench.ask(number.SETTLE, {"s": SESSION, "n": 7, "of": "w"}, WRITE)
        assert settled["ran"] is False
        assert "r" not in settled
    (answer,) = bench.answers(late)
    assert bench.rc(answer.body) == number.OLD
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1}, n=6)) == number.OLD
    assert bench.parts.outputs["heater"].written == [0]


def test_another_session_is_refused_while_the_lease_runs_and_opens_after(bench):
    bench.open(1000)
    refused = bench.open(s=2)
    assert bench.rc(refused) == number.HELD
    assert "1000 ms" in refused["why"]
    bench.pass_us(1_001_000)
    assert bench.rc(bench.open(s=2)) == 0
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1}, n=900)) == number.NO_SESSION
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1}, n=1, s=2)) == 0


def test_a_session_opens_at_once_where_the_lease_was_given_back(bench):
    bench.open(5000)
    bench.do(number.LEASE, {"ms": 0})
    assert bench.rc(bench.open(s=2)) == 0


def test_a_doubled_opening_is_answered_and_begins_no_lease(bench):
    first = bench.open(1000)
    bench.pass_us(500_000)
    assert bench.open(1000) == first
    bench.pass_us(501_000)
    assert bench.open(1000) == first
    assert bench.ask(number.HELLO)["state"] == "idle"


def test_a_session_that_is_over_never_opens_again(bench):
    for s in range(10, 20):
        assert bench.rc(bench.open(5, s=s)) == 0
        bench.pass_us(6_000)
    for s in range(10, 19):
        assert bench.rc(bench.open(5, s=s)) == number.NO_SESSION
    assert bench.rc(bench.do(number.LEASE, {"ms": 1000}, n=1, s=19)) == 0


def test_what_is_remembered_of_sessions_is_bounded(bench):
    for s in range(200):
        bench.open(1, s=s)
        bench.pass_us(2_000)
    assert len(bench.server.session._over) == 16


def test_a_new_session_counts_anew_and_watches_nothing(bench):
    bench.open(5)
    bench.do(number.WATCH, {"names": ["light"], "us": 1000}, n=99)
    bench.pass_us(6_000)
    bench.open(1000, s=2)
    assert bench.ask(number.READINGS, {"from": 0, "most": 9})["names"] == []
    assert bench.rc(bench.do(number.SET, {"name": "heater", "value": 1}, n=0, s=2)) == 0


def test_an_opening_that_was_meant_for_an_earlier_start_opens_nothing(bench):
    opening = bench.request(number.OPEN, {"s": SESSION, "pv": 1, "ms": 1000, "boot": 7}, WRITE)
    command = bench.request(number.SET, {"s": SESSION, "n": 1, "name": "heater", "value": 1}, WRITE)
    bench.answers(opening + command)
    assert bench.parts.outputs["heater"].now == 1
    bench.start(boot=8)
    late = bench.answers(opening + command)
    assert [bench.rc(answer.body) for answer in late] == [number.NO_SESSION] * 2
    assert bench.parts.outputs["heater"].now == 0


def test_a_reset_that_was_meant_for_an_earlier_start_does_nothing(bench):
    reset = bench.request(number.RESET, {"boot": 7}, WRITE, number.OS)
    bench.start(boot=8)
    (late,) = bench.answers(reset)
    bench.pass_us(200_000)
    assert bench.rc(late.body) == number.NO_SESSION
    assert not bench.server.restart_wanted
