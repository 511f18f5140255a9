"""Two reports side by side: how much better or worse each measure is, and whether that is more than noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import comb

from edge_sdk.bench.measure import Measure
from edge_sdk.bench.report import Report, Subject
from edge_sdk.errors import BenchError

__all__ = ["Comparison", "check_alike", "compare"]

# How often two series of the same thing may lie apart by chance.
_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure, then and now.

    Attributes
    ----------
    old, new : Measure
        Then and now.
    ratio : float
        Of the medians; above 1 is better now, whatever the unit.
    least, most : float
        The same of the least favourable values of both, and of the most favourable ones.

    Examples
    --------
    >>> old = Measure("decode@256", "tokens/s", 100, 95, 105, 7)
    >>> Comparison.of(old, Measure("decode@256", "tokens/s", 120, 115, 125, 7)).differs
    True
    >>> Comparison.of(old, Measure("decode@256", "tokens/s", 104, 98, 110, 7)).differs
    False
    """

    old: Measure
    new: Measure
    ratio: float
    least: float
    most: float

    @classmethod
    def of(cls, old: Measure, new: Measure) -> Comparison:
        """Compare a measure with itself of another time."""
        if new.more_is_better:
            return cls(old, new, new.median / old.median, new.least / old.most, new.most / old.least)
        return cls(old, new, old.median / new.median, old.least / new.most, old.most / new.least)

    @property
    def enough(self) -> bool:
        """Whether there were turns enough for series that lie apart to mean anything.

        Of all ways to deal the same values out to both, 2 in C(n + m, n) put them apart: with 4 turns each 2 in 70.
        """
        return 2 / comb(self.old.turns + self.new.turns, self.old.turns) <= _CHANCE

    @property
    def differs(self) -> bool:
        """Whether it is beyond noise: every value of one is better than every value of the other."""
        return self.enough and (self.least > 1 or self.most < 1)

    def fails(self, below: float) -> bool:
        """Say whether it is worse than a ratio, beyond noise."""
        return self.differs and self.ratio < below


def check_alike(old: Report, new: Report) -> None:
    """Refuse to compare reports of different things; what was measured does not matter.

    Raises
    ------
    BenchError
        They are of another bundle, board or setting, or of a short run and a whole one.
    """
    differing: list[tuple[str, object, object]] = [
        (each.name, getattr(old.subject, each.name), getattr(new.subject, each.name))
        for each in fields(Subject)
        if getattr(old.subject, each.name) != getattr(new.subject, each.name)
    ]
    if old.short != new.short:
        then, now = ("short" if each.short else "whole" for each in (old, new))
        differing.append(("run", then, now))
    if differing:
        raise BenchError(
            "The two reports are not of the same thing.",
            why=f"They differ in {_told(differing)}.",
            fix="Measure the same bundle on the same board with the same settings, or compare --anyway.",
        )


def compare(old: Report, new: Report, *, anyway: bool = False) -> tuple[Comparison, ...]:
    """Compare what both reports measured, the machine's limits too.

    Parameters
    ----------
    old, new : Report
        Then and now.
    anyway : bool
        Also where bundle, board or settings differ.

    Raises
    ------
    BenchError
        They are of different things, as `check_alike` says, or have no measure in common.
    """
    if not anyway:
        check_alike(old, new)
    pairs = [(each, new.measure(each.name)) for each in (*old.measures, *old.limits)]
    found = tuple(Comparison.of(then, now) for then, now in pairs if now is not None and now.unit == then.unit)
    if not found:
        raise BenchError("The two reports have nothing in common.", fix="Measure with the same options.")
    return found


def _told(differing: Sequence[tuple[str, object, object]]) -> str:
    return "; ".join(
        f"{name}: {str(then)[:40] or 'none'} then, {str(now)[:40] or 'none'} now" for name, then, now in differing
    )
