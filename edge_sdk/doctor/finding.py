"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

__all__ = ["Finding", "Mark", "exit_status", "failure", "nothing", "ok", "warning"]

Mark = Literal["ok", "nothing", "warning", "failure"]
_STATUS = {"ok": 0, "nothing": 0, "warning": 1, "failure": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    mark : str
        ``ok``; ``nothing``, where there is nothing to check on this machine; ``warning``; ``failure``.
    what : str
        A plain sentence or two.
    fix : str
        What to do, with the command where there is one; empty where nothing is wrong.
    id : str
        The check's.
    """

    mark: Mark
    what: str
    fix: str = ""
    id: str = ""

    def as_json(self) -> dict[str, str]:
        """Give it as what JSON knows."""
        return asdict(self)


def ok(what: str) -> Finding:
    """Say that all is well."""
    return Finding("ok", what)


def nothing(what: str, fix: str = "") -> Finding:
    """Say that there is nothing to check here."""
    return Finding("nothing", what, fix)


def warning(what: str, fix: str) -> Finding:
    """Say what is not as it should be, though work goes on."""
    return Finding("warning", what, fix)


def failure(what: str, fix: str) -> Finding:
    """Say what does not work."""
    return Finding("failure", what, fix)


def exit_status(findings: Iterable[Finding]) -> int:
    """Give 0 where all is well, 1 with warnings, 2 with failures.

    Examples
    --------
    >>> exit_status([ok("Fine."), warning("Warm.", "Open the window.")])
    1
    """
    return max((_STATUS[finding.mark] for finding in findings), default=0)
