"""The microcontroller's clock: microseconds in 32 bits, from a counter that may wrap sooner."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PERIOD = 1 << 30
"""The counters of all ports wrap at a multiple of this: 1 073 s, between two looks at them."""
_MASK = 0xFFFFFFFF


class Clock:
    """Time that has passed, whole and without a jump where the counter wraps.

    All that waits in the firmware counts down by what `tick` gives, so that no comparison of times can go wrong.

    Parameters
    ----------
    counter : callable
        Gives microseconds, modulo 2**30 or a multiple of it, as ``time.ticks_us`` does.
    """

    def __init__(self, counter: "Callable[[], int]") -> None:
        self._counter = counter
        self._last = counter()
        self._low = 0  # of the time in two halves: small numbers, which MicroPython makes no object of
        self._high = 0

    def tick(self) -> int:
        """Give the microseconds since it was asked last."""
        now = self._counter()
        passed = (now - self._last) & (_PERIOD - 1)
        self._last = now
        low = self._low + passed
        self._low = low & 0xFFFF
        self._high = (self._high + (low >> 16)) & 0xFFFF
        return passed

    def since(self) -> int:
        """Give the microseconds since the newest tick."""
        return (self._counter() - self._last) & (_PERIOD - 1)

    def now(self) -> int:
        """Give the time at the newest tick, in microseconds of 32 bits."""
        return (self._high << 16 | self._low) & _MASK
