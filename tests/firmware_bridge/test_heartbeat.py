from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from stand import Time

from firmware_bridge.error import BridgeTimeout
from firmware_bridge.heartbeat import Heartbeat
from firmware_bridge.session.lease import Keeper


def test_without_work_there_is_nothing_to_be_late() -> None:
    beat = Heartbeat(Time())
    beat.beat()
    beat.expect(100)
    assert beat.late_s(1, 5) < 0
    assert beat.expected_s(5) == 0


def test_work_is_late_when_no_beat_came_within_the_lease() -> None:
    time = Time()
    beat = Heartbeat(time)
    with beat.working():
        time.sleep(0.9)
        assert beat.late_s(1, 5) < 0
        time.sleep(0.2)
        assert beat.late_s(1, 5) == pytest.approx(0.1)
        beat.beat()
        assert beat.late_s(1, 5) < 0
    time.sleep(100)
    assert beat.late_s(1, 5) < 0


def test_a_step_that_was_announced_may_take_so_long_but_no_longer_than_the_longest_lease() -> None:
    time = Time()
    beat = Heartbeat(time)
    with beat.working():
        beat.expect(3)
        time.sleep(2.9)
        assert beat.late_s(1, 5) < 0
        time.sleep(0.2)
        assert beat.late_s(1, 5) == pytest.approx(0.1)
        beat.expect(60)
        assert beat.expected_s(100) == pytest.approx(60)
        time.sleep(5.1)
        assert beat.late_s(1, 5) == pytest.approx(0.1)


def test_a_beat_ends_what_was_announced() -> None:
    time = Time()
    beat = Heartbeat(time)
    with beat.working():
        beat.expect(5)
        beat.beat()
        time.sleep(1.1)
        assert beat.late_s(1, 5) == pytest.approx(0.1)


def test_work_within_work_is_one() -> None:
    time = Time()
    beat = Heartbeat(time)
    with beat.working():
        with beat.working():
            time.sleep(2)
        assert beat.late_s(1, 5) < 0
        time.sleep(1.5)
        assert beat.late_s(1, 5) > 0


def test_one_thread_that_stalls_is_not_hidden_by_another_that_works() -> None:
    time = Time()
    beat = Heartbeat(time)
    stalled, go_on = threading.Event(), threading.Event()

    def stall() -> None:
        with beat.working():
            stalled.set()
            go_on.wait()

    thread = threading.Thread(target=stall)
    thread.start()
    stalled.wait()
    with beat.working():
        time.sleep(1.5)
        beat.beat()
        assert beat.late_s(1, 5) == pytest.approx(0.5)
    go_on.set()
    thread.join()
    assert beat.late_s(1, 5) < 0


class Renewals:
    def __init__(self) -> None:
        self.asked: list[int] = []
        self.error: BridgeTimeout | None = None

    def __call__(self, lease_ms: int) -> None:
        self.asked.append(lease_ms)
        if self.error:
            raise self.error


def test_the_lease_is_lengthened_for_a_step_that_was_announced() -> None:
    time, renew = Time(), Renewals()
    beat = Heartbeat(time)
    keeper = Keeper(renew, beat, lease_s=1.0, longest_s=lambda: 5.0)
    keeper.tick()
    with beat.working():
        beat.expect(3)
        keeper.tick()
        time.sleep(1)
        keeper.tick()
        beat.expect(60)
        keeper.tick()
        time.sleep(3)
        keeper.tick()
    assert renew.asked == [1000, 3000, 2000, 5000, 2000]  # no step holds outputs on for longer than the longest lease


def test_a_lease_is_given_back_once_when_the_work_stands_still() -> None:
    time, renew = Time(), Renewals()
    beat = Heartbeat(time)
    keeper = Keeper(renew, beat, lease_s=1.0, longest_s=lambda: 5.0)
    with beat.working():
        time.sleep(1.01)
        keeper.tick()
        keeper.tick()
        assert renew.asked == [0]
        assert not keeper.alive
        beat.beat()
        keeper.tick()
    assert renew.asked == [0, 1000]
    assert keeper.alive
    assert keeper.lapses == 1


def test_a_lease_that_is_not_answered_is_asked_for_again() -> None:
    renew = Renewals()
    renew.error = BridgeTimeout("silence")
    keeper = Keeper(renew, Heartbeat(Time()))
    keeper.tick()
    keeper.tick()
    assert renew.asked == [1000, 1000]


def test_a_lease_that_ran_out_because_this_process_stood_still_is_counted() -> None:
    time, renew = Time(), Renewals()
    keeper = Keeper(renew, Heartbeat(time))
    keeper.tick()
    time.sleep(0.9)
    keeper.tick()
    assert keeper.lapses == 0
    time.sleep(3)
    keeper.tick()
    assert keeper.lapses == 1
    keeper.tick()
    assert keeper.lapses == 1


def test_a_lease_no_longer_than_the_microcontroller_grants_is_asked_for() -> None:
    renew = Renewals()
    Keeper(renew, Heartbeat(Time()), lease_s=10, longest_s=lambda: 2.0).tick()
    assert renew.asked == [2000]


def test_the_heartbeat_is_there_without_the_bridge() -> None:
    code = (
        "import sys, firmware_bridge.heartbeat as h; h.HEARTBEAT.beat();"
        "print([m for m in sys.modules if m.startswith(('firmware_bridge.', 'serial', 'dataclasses'))])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['firmware_bridge.heartbeat']"


def test_work_that_another_thread_ends_is_over() -> None:
    time = Time()
    beat = Heartbeat(time)

    def pieces() -> Iterator[int]:
        with beat.working():
            yield 1

    begun = pieces()
    thread = threading.Thread(target=lambda: next(begun))
    thread.start()
    thread.join()
    time.sleep(2)
    assert beat.late_s(1, 5) > 0
    begun.close()  # type: ignore[attr-defined]
    assert beat.late_s(1, 5) < 0


def test_a_lease_is_asked_for_again_whatever_came_of_it() -> None:
    twice, asked = threading.Event(), []

    def renew(lease_ms: int) -> None:
        asked.append(lease_ms)
        if len(asked) > 1:
            twice.set()
        raise ValueError("an answer that nobody thought of")

    keeper = Keeper(renew, Heartbeat(), lease_s=0.01)
    keeper.start()
    assert twice.wait(10)
    keeper.close()
