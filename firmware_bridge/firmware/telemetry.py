"""Readings that wait to be fetched: a ring of fixed size, read by index."""

import struct
from array import array

from firmware_bridge.wire.cbor import Encoded

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
    age : callable
        Gives how many microseconds before now that was measured, and how far off this may be.
    """

    def __init__(
        self,
        size: int,
        read: "Callable[[str], Any]",
        age: "Callable[[str], tuple[int, int]]",
    ) -> None:
        self.names: list[str] = []
        self.period_us = 0
        self.next = 0
        self._read = read
        self._age = age
        self._within: list[int] = []  # the most of each name since `_turned`
        self._within_before: list[int] = []  # and in the ringful of readings before that
        self._turned = 0
        self._start = 0  # the index of the first reading of these names
        self.due_us = 0
        try:
            self._allocate(size)
        except MemoryError:  # in pieces after everything was compiled: what fits will do
            self._allocate(size // 4)

    def watch(self, names: "list[str]", period_us: int) -> None:
        """Sample these names from now on; what was sampled before is forgotten. A period of 0 ends it."""
        self.names = names
        self.period_us = period_us if names else 0
        self._start = self.next
        self._within = [0] * len(names)
        self._within_before = [0] * len(names)
        self._turned = self.next
        self.due_us = 0

    def advance(self, passed_us: int, now_us: int) -> None:
        """Let time pass, and sample if it is time; periods that were missed are left out."""
        period = self.period_us
        if not period:
            return
        self.due_us -= passed_us
        if self.due_us > 0:
            return
        self.due_us += period
        if self.due_us <= 0:
            self.due_us = period - -self.due_us % period
        for which, name in enumerate(self.names):
            age_us = 0
            try:
                value = self._read(name)
                if value is not None:
                    age_us, within_us = self._age(name)
                    self._widen(which, within_us)
            except Exception:  # whatever its driver stumbles over, all else goes on
                value = None
            self._put((now_us - age_us) & 0xFFFFFFFF, which, _NOTHING if value is None else value)

    @property
    def within(self) -> "list[int]":
        """How many microseconds off the times of each name's readings in the ring may be, at most."""
        return [max(pair) for pair in zip(self._within, self._within_before)]  # noqa: B905 (not in MicroPython)

    def rows(self, start: int, most: int) -> "tuple[int, Encoded]":
        """Give the index of the first reading that is there of those from `start`, and at most so many, as CBOR.

        Each is an array of its time, the place of its name (below 24), and its value, null where it has none.
        """
        first = min(max(start, self._start, self.next - self._size), self.next)
        count = min(most, self.next - first)
        rows = bytearray(struct.pack(">BH", 0x99, count))
        for index in range(first, first + count):
            at = index % self._size
            value = self._values[at]
            if value == value:
                rows.extend(struct.pack(">BBIBBd", 0x83, 0x1A, self._times[at], self._which[at], 0xFB, value))
            else:
                rows.extend(struct.pack(">BBIBB", 0x83, 0x1A, self._times[at], self._which[at], 0xF6))
        return first, Encoded(bytes(rows))

    def _allocate(self, size: int) -> None:
        self._size = size
        self._times = array("I", bytes(4 * size))
        self._which = bytearray(size)
        self._values = array(_DOUBLE, bytes((8 if _DOUBLE == "d" else 4) * size))

    def _widen(self, which: int, within_us: int) -> None:
        """Keep the most of what is in the ring, and for up to a ringful longer: one number for each reading is dear."""
        if self.next - self._turned >= self._size:
            self._within_before = self._within
            self._within = [0] * len(self.names)
            self._turned = self.next
        if within_us > self._within[which]:
            self._within[which] = within_us

    def _put(self, time_us: int, which: int, value: "Any") -> None:
        at = self.next % self._size
        self._times[at] = time_us
        self._which[at] = which
        self._values[at] = value
        self.next += 1
