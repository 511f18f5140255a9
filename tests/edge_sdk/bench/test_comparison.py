from __future__ import annotations

from dataclasses import replace

import pytest

from edge_sdk.bench import Comparison, Condition, Measure, Report, Subject, compare, comparison_text, report_text
from edge_sdk.errors import BenchError

SUBJECT = Subject("smear", "ab" * 32, "rpi-5", "4 x Cortex-A76", "auto", 4, "", "")


def report(*measures: Measure, **changed: object) -> Report:
    whole = Report("0.1", SUBJECT, False, measures, (), Condition(), Condition())
    return replace(whole, **changed)  # type: ignore[arg-type]


def rate(median: float, *, spread: float = 5.0, turns: int = 7) -> Measure:
    return Measure("decode@256", "tokens/s", median, median - spread, median + spread, turns)


def seconds(median: float, *, spread: float = 0.05) -> Measure:
    return Measure("first_token", "s", median, median - spread, median + spread, 7)


def only(old: Measure, new: Measure) -> Comparison:
    (found,) = compare(report(old), report(new))
    return found


def test_more_is_better_for_rates_and_less_for_seconds() -> None:
    assert only(rate(100), rate(150)).ratio == pytest.approx(1.5)
    assert only(seconds(2.0), seconds(1.0)).ratio == pytest.approx(2.0)


def test_the_spread_is_that_of_the_worst_and_the_best_turns_of_both() -> None:
    found = only(rate(100, spread=10), rate(200, spread=20))
    assert (found.least, found.most) == (180 / 110, 220 / 90)
    slower = only(seconds(1.0, spread=0.5), seconds(4.0, spread=1.0))
    assert (slower.least, slower.most) == (0.5 / 5.0, 1.5 / 3.0)


def test_turns_that_overlap_do_not_differ() -> None:
    assert not only(rate(100), rate(109)).differs
    assert only(rate(100), rate(111)).differs


@pytest.mark.parametrize(
    ("old", "new", "enough"), [(1, 1, False), (3, 3, False), (3, 5, True), (4, 4, True), (1, 99, True)]
)
def test_few_turns_tell_nothing_however_far_apart_they_are(old: int, new: int, enough: bool) -> None:
    found = only(rate(100, turns=old), rate(1000, turns=new))
    assert (found.enough, found.differs) == (enough, enough)


def test_only_what_is_worse_beyond_noise_fails() -> None:
    assert only(rate(100), rate(80)).fails(0.9)
    assert not only(rate(100), rate(80)).fails(0.7)
    assert not only(rate(100, spread=30), rate(80, spread=30)).fails(0.9)
    assert not only(rate(100), rate(120)).fails(0.9)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"bundle": "other"}, "bundle: smear then, other now"),
        ({"sha256": "cd" * 32}, "sha256"),
        ({"board": "pc"}, "board: rpi-5 then, pc now"),
        ({"threads": 1}, "threads: 4 then, 1 now"),
        ({"budget": "64MB"}, "budget: none then, 64MB now"),
    ],
)
def test_reports_of_different_things_are_not_compared(changed: dict[str, object], told: str) -> None:
    other = report(rate(100), subject=replace(SUBJECT, **changed))  # type: ignore[arg-type]
    with pytest.raises(BenchError, match="not of the same thing") as caught:
        compare(report(rate(100)), other)
    assert told in (caught.value.why or "")
    assert compare(report(rate(100)), other, anyway=True)[0].ratio == 1


def test_a_short_run_is_not_compared_with_a_whole_one() -> None:
    with pytest.raises(BenchError) as caught:
        compare(report(rate(100), short=True), report(rate(100)))
    assert "run: short then, whole now" in (caught.value.why or "")


def test_what_only_one_of_them_has_is_left_out() -> None:
    assert [each.new.name for each in compare(report(rate(1e3), seconds(1)), report(rate(1e3)))] == ["decode@256"]
    with pytest.raises(BenchError, match="nothing in common"):
        compare(report(rate(1000)), report(seconds(1)))


def test_the_machines_limits_are_compared_too() -> None:
    limit = Measure("read@146", "bytes/s", 2e10, 1e10, 3e10, 7)
    found = compare(report(rate(1000), limits=(limit,)), report(rate(1000), limits=(limit,)))
    assert [each.new.name for each in found] == ["decode@256", "read@146"]


def test_a_comparison_is_told_with_a_verdict() -> None:
    lines = comparison_text([only(rate(100), rate(120)), only(seconds(1), seconds(2)), only(rate(100), rate(100))])
    assert [line.split("  ")[-1] for line in lines.splitlines()[1:]] == ["better", "WORSE", "the same"]
    assert "1.200" in lines.splitlines()[1]
    assert "0.500" in lines.splitlines()[2]


def test_too_few_turns_are_marked_and_explained() -> None:
    lines = comparison_text([only(rate(100, turns=1), rate(120, turns=1))]).splitlines()
    assert lines[1].endswith("?")
    assert "too few turns" in lines[-1]


def test_a_report_shows_bars_for_shares_and_what_was_noted() -> None:
    half = replace(rate(100), share=0.5)
    text = report_text(
        report(half, seconds(0.2), notes=("Nothing tells of power.",), before=Condition(50.0, True, ("heat",)))
    )
    decode = next(line for line in text.splitlines() if line.startswith("decode"))
    assert decode.split() == [
        "decode,",
        "cache",
        "of",
        "256",
        "100",
        "tokens/s",
        "95.0",
        "tokens/s",
        "to",
        "105",
        "tokens/s",
        "7",
        "█" * 10,
        "50%",
    ]
    assert next(line for line in text.splitlines() if "to first token" in line).split()[4:6] == ["200", "ms"]
    assert text.endswith("Nothing tells of power.")
    assert "before: 50.0 °C, slowed down by heat" in text
