"""What was asked and told, against what was run: the one is the caller's, the other was written down by the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["DONE", "NOT_RUN", "UNKNOWN", "Verdict", "compare"]

DONE, NOT_RUN, UNKNOWN = "done", "not run", "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How what ran differs from what was asked.

    Attributes
    ----------
    asked, done, failed, unknown : int
        Commands; what the caller was told of them.
    ran : int
        Commands that the device ran.
    foreign : int
        Ran, and nobody had asked for it: other arguments, or out of order.
    again : int
        Ran more than once.
    lost : int
        Told to be done, and never ran.
    denied : int
        Told not to have run, and did.
    off : int
        By how much the sum of what ran misses the sum of what the caller was told to be done.
    """

    asked: int
    done: int
    failed: int
    unknown: int
    ran: int
    foreign: int
    again: int
    lost: int
    denied: int
    off: float

    @property
    def wrong(self) -> int:
        """Commands that ran otherwise than the caller was told."""
        return self.foreign + self.again + self.lost + self.denied

    def counts(self) -> dict[str, Any]:
        """Give all of it, for JSON."""
        return {**asdict(self), "wrong": self.wrong}


def compare(asked: Sequence[tuple[float, str]], ran: Sequence[float]) -> Verdict:
    """Lay what ran beside what was asked, in order.

    Examples
    --------
    >>> compare([(1, DONE), (2, DONE), (3, NOT_RUN)], [1, 1, 5]).counts()["wrong"]
    3
    """
    foreign = again = 0
    runs = [0] * len(asked)
    at = -1  # the newest of those asked that has run
    for value in ran:
        found = next((index for index in range(at + 1, len(asked)) if _same(asked[index][0], value)), None)
        # A command that was skipped although it is told to be done is not skipped for one further on that looks alike.
        if found is not None and not any(told == DONE for _, told in asked[at + 1 : found]):
            at = found
            runs[at] += 1
        elif at >= 0 and _same(asked[at][0], value):
            again += 1
        elif found is not None:
            at = found
            runs[at] += 1
        else:
            foreign += 1
    told = [word for _, word in asked]
    lost = sum(not count and word == DONE for count, word in zip(runs, told, strict=True))
    denied = sum(bool(count) and word == NOT_RUN for count, word in zip(runs, told, strict=True))
    off = sum(ran) - sum(value for value, word in asked if word == DONE)
    counts = {DONE: told.count(DONE), NOT_RUN: told.count(NOT_RUN), UNKNOWN: told.count(UNKNOWN)}
    return Verdict(
        len(asked),
        counts[DONE],
        counts[NOT_RUN],
        counts[UNKNOWN],
        len(ran),
        foreign,
        again,
        lost,
        denied,
        round(off, 6),
    )


def _same(one: float, other: float) -> bool:
    return abs(one - other) < 1e-9
