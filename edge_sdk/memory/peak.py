"""The most private memory that this process takes while something goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edge_sdk.memory.private import private_bytes

__all__ = ["Peak", "watch_peak"]

_EVERY_S = 0.005  # a look takes 30 microseconds; what is there for a shorter time is not seen


class Peak:
    """What was seen.

    Attributes
    ----------
    private_bytes : int
        The most so far.
    """

    def __init__(self) -> None:
        self.private_bytes = private_bytes()

    def look(self) -> None:
        """Look now."""
        self.private_bytes = max(self.private_bytes, private_bytes())


@contextmanager
def watch_peak(every_s: float = _EVERY_S) -> Iterator[Peak]:
    """Look at private memory from another thread all the time.

    Parameters
    ----------
    every_s : float
        Seconds between two looks.

    Examples
    --------
    >>> with watch_peak() as peak:
    ...     held = bytes(1 << 20)
    >>> peak.private_bytes > 1 << 20
    True
    """
    peak, done = Peak(), threading.Event()

    def look() -> None:
        while not done.wait(every_s):
            peak.look()

    thread = threading.Thread(target=look, name="edge memory peak", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
        peak.look()
