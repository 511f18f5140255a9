"""A record: something that a service read, noticed, did or was answered, in plain words and for machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["ACTION", "ANSWER", "EVENT", "KINDS", "NOTE", "PROBLEM", "READING", "Record", "Tell"]

READING, EVENT, ACTION, ANSWER, PROBLEM, NOTE = "reading", "event", "action", "answer", "problem", "note"
KINDS = (READING, EVENT, ACTION, ANSWER, PROBLEM, NOTE)


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    time_s : float
        On the line of ``time.monotonic()``.
    name : str
        Of the sensor, or of the rule.
    text : str
        In plain words.
    data : mapping
        The same for machines, ready for JSON.
    """

    kind: str
    time_s: float
    name: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, ready for JSON."""
        told = {"kind": self.kind, "time_s": round(self.time_s, 3), "name": self.name, "text": self.text}
        return told | dict(self.data)


Tell: TypeAlias = Callable[[Record], object]
