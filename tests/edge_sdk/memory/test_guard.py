"""The guard with made-up readings: when it looks, what it does in which order, and when it gives up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.errors import OverBudget
from edge_sdk.memory import Budget, Guard, Moment, Plan, private_bytes

MB = 1_000_000


class Process:
    """A process with so much private memory, and a clock that goes on a second with each look at it."""

    def __init__(self, *readings_mb: int) -> None:
        self.readings = list(readings_mb)
        self.now_s = 0.0
        self.done: list[str] = []

    def read(self) -> int:
        self.done.append("look")
        return (self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]) * MB

    def clock(self) -> float:
        self.now_s += 1.0
        return self.now_s

    def guard(self, limit_mb: int = 100) -> Guard:
        return Guard(
            limit_mb * MB, "made within 120 MB", read=self.read, clock=self.clock, trim=lambda: self.done.append("trim")
        )

    def step(self, name: str) -> tuple[str, object]:
        return name, lambda: self.done.append(name)


def test_within_the_limit_nothing_is_given_up() -> None:
    process = Process(99, 100)
    guard = process.guard()
    for _ in range(2):
        guard.check([process.step("caches")])
    assert process.done == ["look", "look"]


def test_what_was_freed_already_goes_back_before_anything_is_given_up() -> None:
    process = Process(101, 90)
    process.guard().check([process.step("caches")])
    assert process.done == ["look", "trim", "trim", "look"]


def test_steps_are_taken_in_order_until_it_fits_and_no_further() -> None:
    process = Process(120, 119, 110, 99)
    process.guard().check([process.step(name) for name in ("caches", "frame", "shorter")])
    steps = [event for event in process.done if event not in ("look", "trim")]
    assert steps == ["caches", "frame"]
    assert process.done[-3:] == ["frame", "trim", "look"]


def test_where_nothing_helps_it_says_how_much_is_in_use_and_how_much_may_be() -> None:
    process = Process(120, 119, 118, 117)
    with pytest.raises(OverBudget, match="117 MB are in use, 100 MB may be") as caught:
        process.guard().check([process.step("caches"), process.step("frame")])
    assert caught.value.why is not None
    assert "made within 120 MB" in caught.value.why


def test_between_two_looks_it_costs_a_look_at_the_clock() -> None:
    process = Process(90)
    guard = Guard(100 * MB, "made", read=process.read, clock=lambda: process.now_s)
    for _ in range(50):
        guard.check()
    assert process.done == ["look"]
    process.now_s += 1
    guard.check()
    assert process.done == ["look", "look"]


def plan(budget_mb: int, *moments: tuple[int, int]) -> Plan:
    """Make a plan with moments of so much private memory, and so much that must fit."""
    made = tuple(Moment("decode", private * MB, 0, needed * MB) for private, needed in moments)
    return Plan(
        "made", "", Path("made"), "all", Budget(budget_mb * MB, "as asked"), (), 256, None, "litert", 1, True, made, ()
    )


@pytest.mark.parametrize(
    ("budget_mb", "moments", "limit_mb"),
    [(200, [(60, 160)], 108), (200, [(60, 70), (60, 160)], 108), (100, [(60, 64)], 98), (100, [(60, 60)], 100)],
    ids=["weights in use", "the moment that uses most", "hardly any pages", "none"],
)
def test_the_pages_in_use_are_kept_free_but_for_what_a_plan_may_err(
    budget_mb: int, moments: list[tuple[int, int]], limit_mb: int
) -> None:
    assert Guard.of(plan(budget_mb, *moments)).limit_bytes == limit_mb * MB


def test_moments_are_weighed_one_by_one_before_loading() -> None:
    # Packing takes most private memory, decoding most pages of files: never at the same time.
    packs_then_decodes = plan(256, (146, 150), (90, 250))
    just_started = Guard(0, "made", read=lambda: 20 * MB)
    just_started.check_start(packs_then_decodes)
    with pytest.raises(OverBudget, match="beside what this program holds"):
        Guard(0, "made", read=lambda: 60 * MB).check_start(packs_then_decodes)


def test_private_memory_is_what_was_written_to() -> None:
    before = private_bytes()
    block = np.ones(20 * MB, np.uint8)
    grown = private_bytes() - before
    assert 19 * MB < grown < 25 * MB
    assert block[0] == 1
