"""Which processors are the strong ones, where a chip has several kinds of cores."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["big_processors"]

# What tells how strong a core is, the better first: the kernel's own measure (1024 for the strongest at its highest
# clock; Documentation/ABI/testing/sysfs-devices-system-cpu), or the highest clock.
_STRENGTHS = ("cpu_capacity", "cpufreq/cpuinfo_max_freq")
# Cores of this share of the strongest one count as equal: the two clusters of A76 in an RK3588 differ by 2 %, its A55
# reach half of them, and 75 % of their clock.
_EQUAL = 0.8


def big_processors(root: str | Path = "/") -> tuple[int, ...]:
    """Return the numbers of the strongest processors that this process may use.

    Where the kernel does not tell them apart these are all that it may use.

    Parameters
    ----------
    root : path
        Folder under which ``sys`` lies; another one than ``/`` holds a captured tree, all of which may be used.
    """
    folder = Path(root, "sys/devices/system/cpu")
    found = {int(path.name[3:]): path for path in folder.glob("cpu[0-9]*") if path.name[3:].isdigit()}
    if str(root) == "/":
        found = {number: found.get(number, folder) for number in os.sched_getaffinity(0)}
    for name in _STRENGTHS:
        told = {number: strength for number, path in found.items() if (strength := _number(path / name)) is not None}
        if len(told) == len(found) > 0:
            least = _EQUAL * max(told.values())
            return tuple(sorted(number for number, strength in told.items() if strength >= least))
    return tuple(sorted(found))


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text("ascii"))
    except (OSError, ValueError):
        return None
