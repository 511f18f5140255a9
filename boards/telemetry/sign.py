"""One sign of throttling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Cause", "Sign"]

Cause = Literal["under-voltage", "heat", "current", "unknown"]


@dataclass(frozen=True, slots=True)
class Sign:
    """What one source says of one cause. None is: cannot be told from it."""

    cause: Cause
    now: bool | None
    since_boot: bool | None
    source: str
    """The file, as on the board, or the command."""
    detail: str
    """What it said, for people; may be empty."""
