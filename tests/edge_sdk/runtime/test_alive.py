from __future__ import annotations

import math
from pathlib import Path

import pytest

import edge_sdk as edge
from edge_sdk.runtime import alive
from edge_sdk.runtime.alive import Alive
from firmware_bridge.heartbeat import Heartbeat, Work


class Time:
    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(alive, "HEARTBEAT", Heartbeat(time))
    monkeypatch.setattr(alive, "perf_counter", time)
    return time


def test_nothing_is_told_where_no_bridge_is_open(time: Time) -> None:
    told: list[float] = []
    Alive()(lambda: told.append(alive.HEARTBEAT.expected_s(5)))
    assert told == [0]


def test_a_run_is_work_and_the_first_may_take_as_long_as_a_lease_can_be(time: Time) -> None:
    called: list[None] = []
    alive.HEARTBEAT.watch(lambda: called.append(None))

    def run() -> None:
        assert alive.HEARTBEAT.expected_s(5) == 5
        time.now_s += 4.9
        assert alive.HEARTBEAT.late_s(1, 5) < 0
        time.now_s += 0.2
        assert alive.HEARTBEAT.late_s(1, 5) == pytest.approx(0.1)

    Alive()(run)
    assert alive.HEARTBEAT.late_s(1, 5) == -math.inf
    assert called == [None]


def test_a_run_may_take_three_times_as_long_as_the_one_before_and_a_lease_at_least(time: Time) -> None:
    alive.HEARTBEAT.watch(lambda: None)
    step = Alive()

    def pass_s(seconds: float) -> None:
        time.now_s += seconds

    step(lambda: pass_s(0.5))

    def stall() -> None:
        pass_s(1.4)
        assert alive.HEARTBEAT.late_s(1, 5) < 0
        pass_s(0.2)
        assert alive.HEARTBEAT.late_s(1, 5) == pytest.approx(0.1)

    step(stall)


def test_a_run_that_fails_is_no_work_any_more(time: Time) -> None:
    alive.HEARTBEAT.watch(lambda: None)

    def fail() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        Alive()(fail)
    time.now_s += 100
    assert alive.HEARTBEAT.late_s(1, 5) < 0


def test_every_run_of_a_model_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Watched(Heartbeat):
        works = 0

        def begin(self, work: Work) -> None:
            self.works += 1
            super().begin(work)

    beat = Watched()
    beat.watch(lambda: None)
    monkeypatch.setattr(alive, "HEARTBEAT", beat)
    with edge.load("smear") as model:
        before = beat.works
        model.count(Path(edge.__file__).parent / "data/photos/smear-1.jpg")
    assert beat.works - before >= 2  # the encoder, and the head
    assert beat.late_s(1, 5) == -math.inf
