from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from itertools import islice, pairwise
from typing import Any

import pytest

from firmware_bridge.error import BridgeError, BridgeTimeout, Restarted
from firmware_bridge.link.lane import Answer
from firmware_bridge.part.telemetry import Telemetry


class Ring:
    """A ring of sixteen readings, one more of each name whenever somebody sleeps."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.watched: list[tuple[list[str], int]] = []
        self.rows: list[list[Any]] = []
        self.epoch = 1
        self.start = 0
        self.errors: list[BridgeError] = []
        self.now_s, self.takes_s = 100.0, 0.0
        self.asked: list[tuple[int, float]] = []
        self.lost: Callable[[int], int] | None = None

    def watch(self, names: list[str], period_us: int) -> Mapping[str, Any]:
        if self.errors:
            raise self.errors.pop()
        self.watched.append((names, period_us))
        self.names, self.start = names, len(self.rows)
        return {"us": period_us, "next": len(self.rows)}

    def readings(self, start: int, most: int, timeout_s: float) -> Answer:
        self.asked.append((most, timeout_s))
        sends = self.lost(most) if self.lost else 1
        asked_s = self.now_s
        self.now_s += min(timeout_s, self.takes_s) if sends else timeout_s
        if not sends or self.takes_s > timeout_s:
            raise BridgeTimeout("no answer")
        first = min(max(start, self.start, len(self.rows) - 16), len(self.rows))
        rows = self.rows[first : first + most]
        body = {"first": first, "next": len(self.rows), "names": self.names, "rows": rows}
        return Answer(body, asked_s, self.now_s, sends)

    def sample(self, times: int = 1) -> None:
        for _ in range(times):
            for place in range(len(self.names)):
                self.rows.append([len(self.rows), place, float(len(self.rows))])

    def sleep(self, seconds: float) -> None:
        self.sample()

    def telemetry(self) -> Telemetry:
        return Telemetry(self.watch, self.readings, lambda: self.epoch, self.sleep, lambda: self.now_s)


def test_every_reading_is_given_once_and_in_order() -> None:
    ring = Ring()
    follower = ring.telemetry().follow("t", 0.1)
    assert list(islice(follower, 20)) == [(float(n), n, 0, 0) for n in range(20)]
    assert ring.watched == [(["t"], 100_000)]


def test_what_was_written_over_is_counted_at_the_reading_after_it() -> None:
    ring = Ring()
    follower = ring.telemetry().follow("t", 0.1)
    taken = [next(follower)]
    ring.sample(30)
    taken += list(islice(follower, 10))
    for before, after in pairwise(taken):
        assert after[1] - before[1] == 1 + after[2]
    assert sum(sample.missed for sample in taken) in (14, 15)


def test_all_that_is_followed_is_sampled_as_often_as_the_most_impatient_wants() -> None:
    ring = Ring()
    telemetry = ring.telemetry()
    slow, fast = telemetry.follow("t", 1.0), telemetry.follow("u", 0.01)
    next(slow)
    next(fast)
    assert ring.watched[-1] == (["t", "u"], 10_000)
    fast.close()
    assert [sample.missed for sample in islice(slow, 10)] == [0] * 10
    assert ring.watched[-1] == (["t"], 1_000_000)
    slow.close()
    assert ring.watched[-1] == ([], 0)


def test_a_new_session_samples_anew_and_the_gap_is_marked() -> None:
    ring = Ring()
    follower = ring.telemetry().follow("t", 0.1)
    assert next(follower)[2] == 0
    ring.epoch, ring.names, ring.rows = 2, [], []
    assert next(follower)[2] == 1
    assert len(ring.watched) == 2


def test_a_restart_that_nobody_noticed_yet_is_seen_in_the_index() -> None:
    ring = Ring()
    follower = ring.telemetry().follow("t", 0.1)
    list(islice(follower, 5))
    ring.names, ring.rows = [], []
    ring.errors = [Restarted("it restarted")]
    assert next(follower) == (0.0, 0, 1, 0)
    assert len(ring.watched) == 2


def test_who_takes_no_readings_loses_the_oldest_and_is_told() -> None:
    ring = Ring()
    telemetry = ring.telemetry()
    idle, busy = telemetry.follow("t", 0.1), telemetry.follow("t", 0.1)
    next(idle)
    list(islice(busy, 5000))
    taken = list(islice(idle, 4000))
    assert taken[0][0] > 100
    assert taken[0][2] == taken[0][0] - 1  # of all but the first, told where they are missing
    assert sum(sample.missed for sample in taken[1:]) == 0


@pytest.mark.parametrize("followers", [1, 2])
def test_what_nobody_took_for_so_long_that_the_clock_may_have_wrapped_is_lost_and_told(followers: int) -> None:
    ring = Ring()
    telemetry = ring.telemetry()
    follower, others = telemetry.follow("t", 60), [telemetry.follow("t", 60) for _ in range(followers - 1)]
    assert next(follower) == (0.0, 0, 0, 0)
    for other in others:
        next(other)
        next(other)
    before = len(ring.rows)
    ring.sample(10)
    for _ in range(10):
        ring.now_s += 400
        for other in others:
            next(other)
    value, _, missed, _ = next(follower)
    assert value >= before
    assert missed > 0


@pytest.mark.parametrize("rows", [None, [None], [[1, 5, 2.0]], [[1, -1, 2.0]], [[1, 0.0, 2.0]], [[1, [], 2.0]]])
def test_an_answer_that_makes_no_sense_is_told(rows: Any) -> None:
    ring = Ring()
    answer = {"first": 0, "next": 1, "names": ["t"], "rows": rows}
    told = Answer(answer, 0.0, 0.0, 1)
    telemetry = Telemetry(ring.watch, lambda start, most, timeout_s: told, lambda: 1, ring.sleep)
    with pytest.raises(BridgeError, match="cannot be understood"):
        next(telemetry.follow("t", 0.1))


def test_after_a_loss_fewer_are_asked_for_and_more_again_while_all_goes_well() -> None:
    ring = Ring()
    follower = ring.telemetry().follow("t", 0.1)
    ring.lost = lambda most: 2 if len(ring.asked) <= 2 else 1
    next(follower)
    ring.sample(200)
    list(islice(follower, 60))
    most = [asked for asked, _ in ring.asked]
    assert most[:4] == [64, 32, 16, 20]
    assert set(most[4:]) == {20}  # the ring holds no more than sixteen: whether the line takes more is not known


def test_answers_that_never_come_whole_are_asked_for_in_ever_smaller_pieces() -> None:
    ring = Ring()
    follower = ring.telemetry().follow("t", 0.1)
    ring.lost = lambda most: int(most < 16)
    assert next(follower)[0] == 0.0
    assert ring.asked[:4] == [(64, 0.1), (32, 0.2), (16, 0.4), (8, 0.8)]


def test_a_line_that_lets_nothing_through_is_told_in_ten_seconds() -> None:
    ring = Ring()
    follower = ring.telemetry().follow("t", 0.1)
    ring.lost = lambda most: 0
    with pytest.raises(BridgeTimeout):
        next(follower)
    assert ring.now_s == pytest.approx(110)
    assert [most for most, _ in ring.asked][-3:] == [4, 4, 4]


def test_a_line_that_is_slow_is_waited_for() -> None:
    ring = Ring()
    follower = ring.telemetry().follow("t", 0.1)
    ring.takes_s = 0.5
    list(islice(follower, 3))
    assert ring.asked[:4] == [(64, 0.1), (32, 0.2), (16, 0.4), (8, 0.8)]
    assert {wait_s for _, wait_s in ring.asked[4:]} == {2.0}  # four times what the last one took


def test_a_line_that_loses_long_answers_delivers_all() -> None:
    dice, ring = random.Random(5), Ring()
    follower = ring.telemetry().follow("t", 0.1)
    ring.lost = lambda most: int(all(dice.random() > 0.05 for _ in range(most // 4)))  # a line holds four
    assert [sample.value for sample in islice(follower, 400)] == [float(n) for n in range(400)]
    assert ring.now_s < 300
