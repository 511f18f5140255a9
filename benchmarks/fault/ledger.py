"""What was asked and told, against what was run: the one is the caller's, the other was written down by the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["DONE", "NOT_RUN", "UNKNOWN", "Verdict", "compare"]

_DIGITS = 9  # MicroPython's JSON is not exact in the last two of a float's seventeen
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
        Ran, and nobody had asked for it: other arguments.
    again : int
        Ran more than once.
    late : int
        Ran after one that was asked for later.
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
    late: int
    lost: int
    denied: int
    off: float

    @property
    def wrong(self) -> int:
        """Commands that ran otherwise than the caller was told."""
        return self.foreign + self.again + self.late + self.lost + self.denied

    def counts(self) -> dict[str, Any]:
        """Give all of it, for JSON."""
        return {**asdict(self), "wrong": self.wrong}


def compare(asked: Sequence[tuple[float, str]], ran: Sequence[float]) -> Verdict:
    """Lay what ran beside what was asked, where no two that were asked are alike.

    Examples
    --------
    >>> compare([(1, DONE), (2, DONE), (3, NOT_RUN)], [1, 1, 5]).counts()["wrong"]
    3
    """
    place = {round(value, _DIGITS): index for index, (value, _) in enumerate(asked)}
    assert len(place) == len(asked), "two that were asked are alike"
    foreign = again = late = 0
    runs: set[int] = set()
    newest = -1
    for value in ran:
        index = place.get(round(value, _DIGITS))
        if index is None:
            foreign += 1
        elif index in runs:
            again += 1
        else:
            runs.add(index)
            late += index < newest
            newest = max(newest, index)
    told = [word for _, word in asked]
    lost = sum(word == DONE and index not in runs for index, word in enumerate(told))
    denied = sum(word == NOT_RUN and index in runs for index, word in enumerate(told))
    off = round(sum(ran) - sum(value for value, word in asked if word == DONE), 6)
    counts = (len(asked), *(told.count(word) for word in (DONE, NOT_RUN, UNKNOWN)), len(ran))
    return Verdict(*counts, foreign, again, late, lost, denied, off)
