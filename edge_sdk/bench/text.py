"""A report, and a comparison of two, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sdk.bench.comparison import Comparison
from edge_sdk.bench.measure import Measure
from edge_sdk.bench.report import Condition, Report

__all__ = ["comparison_text", "report_text"]

_BAR = 20
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def report_text(report: Report) -> str:
    """Write a report: a line for each measure, with a bar where the machine's limit is known."""
    subject = report.subject
    settings = [subject.engine, f"{subject.threads} thread{'s' if subject.threads > 1 else ''}"]
    settings += [f"within {subject.budget}"] if subject.budget else []
    settings += [f"camera {subject.camera}"] if subject.camera else []
    head = f"{subject.bundle} on {subject.board} ({subject.processor}): {', '.join(settings)}"
    lines = [head, ""]
    rows: list[tuple[str, ...]] = [("", "median", "least to most", "turns", "of what the machine could do")]
    rows += [_row(each) for each in report.measures]
    lines += _columns(rows)
    if report.limits:
        lines += [
            "",
            *_columns([("the machine at most", "median", "least to most", "turns", ""), *map(_row, report.limits)]),
        ]
    lines += ["", f"before: {_condition(report.before)}", f"after:  {_condition(report.after)}"]
    return "\n".join([*lines, "", *report.notes])


def comparison_text(found: Sequence[Comparison]) -> str:
    """Write how each measure compares; a mark says which differ by more than noise."""
    rows = [("", "then", "now", "times as good", "from least to most", "")]
    rows += [
        (
            each.new.label,
            each.old.text,
            each.new.text,
            f"{each.ratio:.3f}",
            f"{each.least:.3f} to {each.most:.3f}",
            _verdict(each),
        )
        for each in found
    ]
    lines = _columns(rows)
    if not all(each.enough for each in found):
        lines += ["", "? too few turns to tell it from noise: both need four, or one three and the other five."]
    return "\n".join(lines)


def _verdict(each: Comparison) -> str:
    if not each.enough:
        return "?"
    return ("better" if each.ratio > 1 else "WORSE") if each.differs else "the same"


def _row(each: Measure) -> tuple[str, ...]:
    share = "" if each.share is None else f"{_bar(each.share)} {each.share:4.0%}"
    return each.label, each.text, each.spread if each.turns > 1 else "", str(each.turns), share


def _bar(share: float) -> str:
    """Draw a bar to an eighth of a letter; one that is full is full.

    Examples
    --------
    >>> _bar(0.5), _bar(7.0) == "█" * 20
    ('██████████          ', True)
    """
    eighths = round(max(0.0, min(1.0, share)) * 8 * _BAR)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(_BAR)


def _condition(now: Condition) -> str:
    told = [f"{now.temperature_c:.1f} °C"] if now.temperature_c is not None else []
    if now.throttled is not None:
        told.append(f"slowed down by {', '.join(now.causes)}" if now.throttled else "not slowed down")
    told += [f"load {now.load:.2f}"] if now.load is not None else []
    return ", ".join(told) or "not told"


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Line up columns: the first and the last to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_cells(row, widths)).rstrip() for row in rows]


def _cells(row: tuple[str, ...], widths: Sequence[int]) -> Iterator[str]:
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.ljust(width) if place in (0, len(row) - 1) else cell.rjust(width)
