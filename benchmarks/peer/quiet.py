"""How much else a machine did while something was measured."""

from __future__ import annotations

import os
import time
from pathlib import Path

_IDLE = (
    3,
    4,
)  # idle and waiting for a disk, of the numbers of /proc/stat's first line; guests count twice and stand last


class Quiet:
    """Tell at any time which share of the processors others have used since this was made.

    Source: proc_stat(5).
    """

    def __init__(self) -> None:
        self._begin = _busy_s(), _own_s(), time.monotonic()

    def others_share(self) -> float:
        """Return the share, 0 to 1; of what this process has started, what has ended counts as its own."""
        busy_s, own_s, now_s = _busy_s(), _own_s(), time.monotonic()
        most_s = max(now_s - self._begin[2], 1e-9) * (os.cpu_count() or 1)
        return max(0.0, (busy_s - self._begin[0]) - (own_s - self._begin[1])) / most_s


def _busy_s() -> float:
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(count for place, count in enumerate(ticks) if place not in _IDLE) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    return sum(os.times()[:4])
