"""Readings that wait to be fetched: a ring of fixed size, read by index."""

from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LEAST_US = 1000
"""The shortest period."""

_DOUBLE = "d" if 1.0 + 1e-12 > 1.0 else "f"  # what the interpreter calculates with is what is kept
_NOTHING = float("nan")


class Telemetry:
    """The ring, and what is sampled into it.

    Parameters
    ----------
    size : int
        Readings that it holds.
    read : callable
        Gives the value of a name, None or an `OSError` where it has none.
    """

    def __init__(self, size: int, read: "Callable[[str], Any]") -> None:
        self.names: list[str] = []
        self.period_us = 0
        self.next = 0
        self._read = read
        self._size = size
        self._start = 0  # the index of the first reading of these names
        self._due_us = 0
        self._times = array("I", bytes(4 * size))
        self._which = bytearray(size)
        self._values = array(_DOUBLE, bytes((8 if _DOUBLE == "d" else 4) * size))

    def watch(self, names: "list[str]", period_us: int) -> None:
        """Sample these names from now on; what was sampled before is forgotten. A period of 0 ends it."""
        self.names = names
        self.period_us = period_us if names else 0
        self._start = self.next
        self._due_us = 0

    def advance(self, passed_us: int, now_us: int) -> None:
        """Let time pass, and sample if it is time; periods that were missed are left out."""
        period = self.period_us
        if not period:
            return
        self._due_us -= passed_us
        if self._due_us > 0:
            return
        self._due_us += period
        if self._due_us <= 0:
            self._due_us = period - -self._due_us % period
        for which, name in enumerate(self.names):
            try:
                value = self._read(name)
            except OSError:
                value = None
            self._put(now_us, which, _NOTHING if value is None else value)

    def rows(self, start: int, most: int) -> "tuple[int, list[Any]]":
        """Give the index of the first reading that is there of those from `start`, and at most so many of them."""
        first = min(max(start, self._start, self.next - self._size), self.next)
        rows: list[Any] = []
        for index in range(first, min(first + most, self.next)):
            at = index % self._size
            value = self._values[at]
            rows.append([self._times[at], self._which[at], None if value != value else value])
        return first, rows

    def _put(self, time_us: int, which: int, value: "Any") -> None:
        at = self.next % self._size
        self._times[at] = time_us
        self._which[at] = which
        self._values[at] = value
        self.next += 1
