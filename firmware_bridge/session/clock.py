"""The microcontroller's clock on this process's line of time: offset and drift, with an uncertainty that holds."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

__all__ = ["DRIFT_MOST", "Clock", "Moment"]

DRIFT_MOST = 500e-6
"""How much faster or slower than ours the other clock may be. Crystals are within 100 ppm, ceramic resonators 5000."""
_WRAP = 1 << 32
_KEPT = 16
_EVERY_S = 1.0
# How much the latest round trip counts in the regression. Source: Klipper's clocksync.py has 1/30 at one a second.
_LATEST = 1 / 30


class Moment(NamedTuple):
    """A time of the microcontroller on the line of ``time.monotonic()``.

    Attributes
    ----------
    time_s, uncertainty_s : float
        It lies within `uncertainty_s` of `time_s`.
    """

    time_s: float
    uncertainty_s: float


class _Sample(NamedTuple):
    ticks_s: float  # the other clock, unwrapped
    sent_s: float
    received_s: float


class Clock:
    """Relates a clock that counts microseconds in 32 bits to the host's seconds.

    A request was handled between its sending and the coming of its answer, however unevenly the two ways delayed it:
    that bounds where the other clock stands, and a drift of at most 500 ppm carries the bound on. Within the bounds an
    exponentially weighted regression over the middles of round trips says where it stands most likely.

    Source: the regression is Klipper's idea (clocksync.py); the bounds are Cristian's, Distributed Computing 3 (1989).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything: the other clock began anew."""
        with self._lock:
            self._samples: deque[_Sample] = deque(maxlen=_KEPT)
            self._last: _Sample | None = None
            self._least_s = float("inf")
            self._ticks_s = self._host_s = 0.0  # weighted means
            self._variance = self._covariance = 0.0
            self._count = 0

    @property
    def is_known(self) -> bool:
        """Whether there was a round trip."""
        return self._last is not None

    @property
    def drift(self) -> float:
        """How much faster than ours the other clock runs, as a share: 1e-6 is a microsecond a second."""
        with self._lock:
            return 1 / self._rate() - 1

    @property
    def offset(self) -> Moment:
        """Say what is to be added to the other clock's seconds to have ours, as it was last seen.

        Raises
        ------
        ValueError
            If nothing is known of the other clock yet.
        """
        last_s = self._last.ticks_s if self._last else 0.0
        moment = self.moment(round(last_s * 1e6) % _WRAP)
        return Moment(moment.time_s - last_s, moment.uncertainty_s)

    def note(self, told_us: int, sent_s: float, received_s: float) -> None:
        """Take a round trip.

        Parameters
        ----------
        told_us : int
            The other clock, in microseconds of 32 bits, taken between the two others.
        sent_s, received_s : float
            When the request was sent and its answer came.
        """
        with self._lock:
            sample = _Sample(self._unwrapped(told_us, (sent_s + received_s) / 2), sent_s, received_s)
            self._last = sample
            self._keep(sample)
            self._regress(sample)

    def _unwrapped(self, told_us: int, near_s: float) -> float:
        """Give the other clock without its wraps: the time nearest to where it should stand."""
        if self._last is None:
            return told_us / 1e6
        last = self._last
        expected_us = round((last.ticks_s + (near_s - (last.sent_s + last.received_s) / 2) / self._rate()) * 1e6)
        ahead_us = (told_us - expected_us + _WRAP // 2) % _WRAP - _WRAP // 2
        return (expected_us + ahead_us) / 1e6

    def _keep(self, sample: _Sample) -> None:
        """Keep the round trip of each second that says most."""
        samples = self._samples
        if not samples or sample.sent_s - samples[-1].sent_s >= _EVERY_S or len(samples) == 1:
            samples.append(sample)
        elif _width(sample) < _width(samples[-1]) + 2 * DRIFT_MOST * (sample.sent_s - samples[-1].sent_s):
            samples[-1] = sample

    def _regress(self, sample: _Sample) -> None:
        width_s = sample.received_s - sample.sent_s
        self._least_s = min(self._least_s * 1.01, width_s) if self._count else width_s
        if self._count and width_s > 3 * self._least_s + 1e-4:
            return  # it waited somewhere: the bounds alone use it
        middle_s = (sample.sent_s + sample.received_s) / 2
        self._count += 1
        weight = max(_LATEST, 1 / self._count)
        ticks_s, host_s = sample.ticks_s - self._ticks_s, middle_s - self._host_s
        self._ticks_s += weight * ticks_s
        self._host_s += weight * host_s
        self._variance = (1 - weight) * (self._variance + weight * ticks_s * ticks_s)
        self._covariance = (1 - weight) * (self._covariance + weight * ticks_s * host_s)

    def _rate(self) -> float:
        """Give our seconds to one of the other's."""
        if self._variance <= 1e-6:
            return 1.0
        return min(max(self._covariance / self._variance, 1 - DRIFT_MOST), 1 + DRIFT_MOST)

    def moment(self, told_us: int) -> Moment:
        """Say when the other clock stood so.

        Parameters
        ----------
        told_us : int
            In microseconds of 32 bits, of the last half hour or so.

        Raises
        ------
        ValueError
            If nothing is known of the other clock yet.
        """
        with self._lock:
            last = self._last
            if last is None:
                raise ValueError("nothing is known of the other clock")
            last_us = round(last.ticks_s * 1e6)
            ticks_s = (last_us + (told_us - last_us + _WRAP // 2) % _WRAP - _WRAP // 2) / 1e6
            earliest_s, latest_s = self._bounds(ticks_s)
            likely_s = self._host_s + (ticks_s - self._ticks_s) * self._rate()
            likely_s = min(max(likely_s, earliest_s), latest_s)
            return Moment(likely_s, max(latest_s - likely_s, likely_s - earliest_s))

    def _bounds(self, ticks_s: float) -> tuple[float, float]:
        earliest_s, latest_s = float("-inf"), float("inf")
        for sample in (*self._samples, self._last):
            assert sample is not None
            passed_s = ticks_s - sample.ticks_s
            spread_s = abs(passed_s) * DRIFT_MOST
            earliest_s = max(earliest_s, sample.sent_s + passed_s - spread_s)
            latest_s = min(latest_s, sample.received_s + passed_s + spread_s)
        if earliest_s > latest_s:  # a clock that drifts more than any may: what was last seen, honestly wide
            last = self._samples[-1]
            passed_s = ticks_s - last.ticks_s
            spread_s = abs(earliest_s - latest_s) + abs(passed_s) * DRIFT_MOST
            return last.sent_s + passed_s - spread_s, last.received_s + passed_s + spread_s
        return earliest_s, latest_s


def _width(sample: _Sample) -> float:
    return sample.received_s - sample.sent_s
