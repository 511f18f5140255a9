from __future__ import annotations

import pytest

from firmware_bridge.pins.edge import EdgeClock, edges

DAY_NS = 1_790_000_000_000_000_000


class Clocks:
    """A monotonic clock and one of the day, which may be set; each look at either takes 10 us."""

    def __init__(self) -> None:
        self.now_ns = 5_000_000_000
        self.ahead_ns = DAY_NS

    def monotonic_ns(self) -> int:
        self.now_ns += 10_000
        return self.now_ns

    def day_ns(self) -> int:
        self.now_ns += 10_000
        return self.now_ns + self.ahead_ns


@pytest.fixture
def clocks():
    return Clocks()


def test_a_time_of_the_day_comes_out_on_the_monotonic_line(clocks):
    clock = EdgeClock(clocks.monotonic_ns, clocks.day_ns)
    stamp_ns, true_s = clocks.now_ns + clocks.ahead_ns, clocks.now_ns / 1e9
    clocks.now_ns += 3_000_000
    time_s, uncertainty_s = clock.moment(stamp_ns)
    assert time_s == pytest.approx(true_s, abs=uncertainty_s)
    assert uncertainty_s < 1e-4


def test_a_monotonic_time_stays_as_it_is(clocks):
    clock = EdgeClock(clocks.monotonic_ns, clocks.day_ns)
    stamp_ns = clocks.now_ns
    assert clock.moment(stamp_ns) == (stamp_ns / 1e9, 0.0)


@pytest.mark.parametrize("step_ns", [700_000_000, -700_000_000])
def test_a_day_that_was_set_meanwhile_is_within_the_uncertainty(clocks, step_ns):
    clock = EdgeClock(clocks.monotonic_ns, clocks.day_ns)
    stamp_ns, true_s = clocks.now_ns + clocks.ahead_ns, clocks.now_ns / 1e9
    clocks.ahead_ns += step_ns
    time_s, uncertainty_s = clock.moment(stamp_ns)
    assert abs(time_s - true_s) <= uncertainty_s < 0.8


class Line:
    """One whose edges are known before."""

    def __init__(self, *found) -> None:
        self.found = list(found)

    def edge(self, timeout_s):
        assert timeout_s <= 0.5
        return self.found.pop(0) if self.found else None


def test_a_lost_edge_is_told_by_the_next():
    line = Line((1, DAY_NS), (0, DAY_NS), None, (0, DAY_NS), (1, DAY_NS))
    seen = list(edges("door", line, lambda: not line.found))
    assert [(edge.value, edge.missed) for edge in seen] == [(1, 0), (0, 0), (0, 1), (1, 0)]


def test_it_ends_when_none_came_for_so_long():
    assert list(edges("door", Line(), lambda: False, timeout_s=0.01)) == []
