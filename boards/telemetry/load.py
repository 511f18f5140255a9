"""How busy the machine is, and how long its work stands still for want of processors, memory or disks.

Source: https://docs.kernel.org/accounting/psi.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from boards.telemetry.file import Files

__all__ = ["Load", "Pressure", "Stall", "find_pressures", "load_now", "pressures_now"]

_LOAD = re.compile(r"([0-9.]+) ([0-9.]+) ([0-9.]+) ([0-9]+)/([0-9]+) [0-9]+")
_STALL = re.compile(r"(some|full) avg10=([0-9.]+) avg60=([0-9.]+) avg300=([0-9.]+) total=([0-9]+)")


@dataclass(frozen=True, slots=True)
class Load:
    """Tasks that run, want to run or wait for a disk, averaged."""

    one_minute: float
    five_minutes: float
    fifteen_minutes: float
    runnable: int
    """Tasks that run or want to, at this moment."""
    tasks: int


@dataclass(frozen=True, slots=True)
class Stall:
    """Shares of time in which work stood still."""

    average_10s_percent: float
    average_60s_percent: float
    average_300s_percent: float
    total_us: int
    """Since boot."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """Time lost for want of one thing."""

    of: str
    """`cpu`, `memory` or `io`."""
    some: Stall | None
    """At least one task stood still."""
    full: Stall | None
    """All tasks stood still at once; kernels before 5.13 do not tell it of `cpu`."""


def load_now(files: Files) -> Load | None:
    """Read the load averages."""
    path = "/proc/loadavg"
    text = files.text(path, optional=True)
    if text is None:
        return None
    found = _LOAD.fullmatch(text)
    try:
        one, five, fifteen, runnable, tasks = found.groups() if found else ()
        return Load(float(one), float(five), float(fifteen), int(runnable), int(tasks))
    except ValueError:
        files.note(path, f"holds {text[:40]!r}")
        return None


def find_pressures(files: Files) -> list[str]:
    """Find what pressure is told of; nothing, where the kernel was built or started without it."""
    return [name for name in ("cpu", "memory", "io") if files.exists(f"/proc/pressure/{name}")]


def pressures_now(files: Files, names: list[str]) -> tuple[Pressure, ...]:
    """Read the pressures that were found."""
    pressures = []
    for name in names:
        path = f"/proc/pressure/{name}"
        text = files.text(path)
        stalls = _stalls(text or "")
        if stalls:
            pressures.append(Pressure(name, stalls.get("some"), stalls.get("full")))
        elif text is not None:
            files.note(path, f"holds {text[:40]!r}")
    return tuple(pressures)


def _stalls(text: str) -> dict[str, Stall]:
    stalls = {}
    for line in text.splitlines():
        found = _STALL.fullmatch(line)
        if found:
            kind, ten, sixty, three_hundred, total = found.groups()
            try:
                stalls[kind] = Stall(float(ten), float(sixty), float(three_hundred), int(total))
            except ValueError:
                continue
    return stalls
