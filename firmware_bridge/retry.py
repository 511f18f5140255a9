"""How long to wait for an answer before asking again: from the round trips so far."""

from __future__ import annotations

__all__ = ["LEAST_S", "MOST_S", "RoundTrip"]

LEAST_S = 0.025
MOST_S = 5.0
_FIRST_S = (
    0.1  # before anything was measured: a microcontroller that runs MicroPython answers within a few milliseconds
)
_SMOOTH, _VARY, _SPREAD = 1 / 8, 1 / 4, 4.0


class RoundTrip:
    """A smoothed round trip, and the time-out that follows from it.

    What was sent more than once is not measured, as it is not known which one was answered (Karn's rule); the longer
    time-out that it came to stays until there is a measurement again.

    Source: RFC 6298, with bounds of 25 ms and 5 s.

    Attributes
    ----------
    smoothed_s : float or None
        None before the first measurement.
    timeout_s : float
        How long to wait for the next answer.
    base_s : float
        The same, without what waiting in vain added: for what must not wait, however much the line loses.
    """

    def __init__(self) -> None:
        self.smoothed_s: float | None = None
        self._varied_s = 0.0
        self.timeout_s = self.base_s = _FIRST_S

    def measured(self, seconds: float) -> None:
        """Take the round trip of a request that was sent once."""
        if self.smoothed_s is None:
            self.smoothed_s, self._varied_s = seconds, seconds / 2
        else:
            self._varied_s += _VARY * (abs(self.smoothed_s - seconds) - self._varied_s)
            self.smoothed_s += _SMOOTH * (seconds - self.smoothed_s)
        timeout_s = self.smoothed_s + _SPREAD * self._varied_s
        self.timeout_s = self.base_s = LEAST_S if timeout_s < LEAST_S else min(timeout_s, MOST_S)

    def timed_out(self, waited_s: float) -> float:
        """Say how long to wait next after waiting in vain: twice as long."""
        self.timeout_s = min(max(self.timeout_s, 2 * waited_s), MOST_S)
        return self.timeout_s
