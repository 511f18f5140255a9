"""How long to wait for an answer before asking again: from the round trips so far."""

from __future__ import annotations

__all__ = ["LEAST_S", "MOST_S", "SAFETY_S", "RoundTrip"]

LEAST_S = 0.025
MOST_S = 5.0
SAFETY_S = 0.05
"""What the doubling ends at in the safety lane, unless round trips take longer. A lease lasts a second and is renewed
after 200 ms: where four of ten frames are lost, the sixteen tries that are left fail once in a million times, and nine,
which 100 ms leave, once in four thousand, which is every quarter of an hour."""
_FIRST_S = 0.1  # before anything was measured; MicroPython answers within a few milliseconds
_IN_A_ROW, _SOME, _MANY = 3, 6, 20
_SMOOTH, _VARY, _SPREAD = 1 / 8, 1 / 4, 4.0


class RoundTrip:
    """A smoothed round trip, and the time-out that follows from it.

    What was sent more than once is not measured, as it is not known which one was answered (Karn's rule). Where the
    answer comes soon after the last of them, the line has merely lost the others. Where it does not, several times in
    a row, the way has become longer than the time-out: the longer one that it came to stays then, until there is a
    measurement again. So it does where nothing was measured for long, or at first: a way of a little more than the
    time-out has its answers come soon after the second sending.

    Source: RFC 6298, with bounds of 25 ms and 5 s; it keeps the longer time-out at once, for the sake of routers.

    Attributes
    ----------
    smoothed_s : float or None
        None before the first measurement.
    """

    def __init__(self) -> None:
        self.smoothed_s: float | None = None
        self._varied_s = 0.0
        self._timeout_s = self._reached_s = _FIRST_S
        self._late = self._again = 0  # requests in a row: answered late after their last sending; sent more than once

    @property
    def timeout_s(self) -> float:
        """How long to wait for the next answer."""
        return self._timeout_s if self._late < _IN_A_ROW else max(self._timeout_s, self._reached_s)

    def measured(self, seconds: float) -> None:
        """Take the round trip of a request that was sent once."""
        if self.smoothed_s is None:
            self.smoothed_s, self._varied_s = seconds, seconds / 2
        else:
            self._varied_s += _VARY * (abs(self.smoothed_s - seconds) - self._varied_s)
            self.smoothed_s += _SMOOTH * (seconds - self.smoothed_s)
        timeout_s = self.smoothed_s + _SPREAD * self._varied_s
        self._timeout_s = LEAST_S if timeout_s < LEAST_S else min(timeout_s, MOST_S)
        self._late = self._again = 0

    def unmeasured(self, waited_s: float, since_s: float = MOST_S) -> None:
        """Take note of a request that was sent more than once.

        Parameters
        ----------
        waited_s : float
            How long was to be waited for its answer at last.
        since_s : float
            When that came, after the request was sent for the last time.
        """
        self._again += 1
        soon = since_s <= self._timeout_s and self._again < (_SOME if self.smoothed_s is None else _MANY)
        if soon and self._late < _IN_A_ROW:
            self._late = 0  # else on a line that loses much the waits would grow from request to request
            return
        self._late += 1
        self._reached_s = waited_s
