"""A sensor: read now, the latest, at a time, or one reading after the other."""

from __future__ import annotations

import bisect
import math
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, NamedTuple, Protocol

from firmware_bridge.error import BridgeError, Refused, StaleReading
from firmware_bridge.link.lane import Answer
from firmware_bridge.link.link import TIMEOUT_S
from firmware_bridge.part.dictionary import SensorEntry
from firmware_bridge.reading import Reading
from firmware_bridge.session.clock import Moment

__all__ = ["Sample", "Sampling", "Sensor"]

_KEPT = 1024
_PERIOD_S = 0.1
_FRESH_S = 1.0  # longest wait of `latest` for a reading


class Sample(NamedTuple):
    """What was sampled.

    Attributes
    ----------
    value : object
        None where there was none.
    ticks_us : object
        The microcontroller's clock when it was measured.
    missed : int
        How many readings were lost before.
    within_us : object
        How far off `ticks_us` may be, for what the chip does not tell.
    """

    value: Any
    ticks_us: Any
    missed: int = 0
    within_us: Any = 0


class Sampling(Protocol):
    """What reads a sensor regularly."""

    def follow(self, name: str, period_s: float) -> Generator[Sample, None, None]:
        """Give one after the other."""


class Sensor:
    """A sensor of a microcontroller or of the board's own pins; get one from `Bridge.sensor` or `Pins.sensor`.

    Parameters
    ----------
    entry : SensorEntry
        What the dictionary says of it.
    ask : function
        Reads a name's value, within a time.
    moment : function
        Says when the microcontroller's clock stood so; it may be a little below 0.
    telemetry : Sampling
        Samples it regularly.
    clock : function
        Monotonic seconds.
    """

    def __init__(
        self,
        entry: SensorEntry,
        ask: Callable[[str, float], Answer],
        moment: Callable[[int], Moment],
        telemetry: Sampling,
        clock: Callable[[], float],
    ) -> None:
        self.entry = entry
        self._ask, self._moment, self._telemetry, self._clock = ask, moment, telemetry, clock
        self._kept: deque[Reading] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Sensor {self.name!r} in {self.unit or 'no unit'}>"

    @property
    def name(self) -> str:
        """What the configuration calls it."""
        return self.entry.name

    @property
    def unit(self) -> str:
        """Of its values."""
        return self.entry.unit

    def read(self, *, timeout_s: float = TIMEOUT_S) -> Reading:
        """Have the microcontroller read it now; the time is when the chip measured, which may be seconds before.

        Raises
        ------
        BridgeError
            If it does not answer, or the sensor does not.
        """
        body = self._ask(self.name, timeout_s).body
        return self.take(body.get("value"), body.get("t"), within_us=body.get("within", 0), age_us=body.get("age", 0))

    def latest(self, max_age_s: float) -> Reading:
        """Give the newest reading, if it is surely young enough; where none is, the sensor is read now.

        Raises
        ------
        StaleReading
            If there is none of that age, or none of which that is sure, its `uncertainty_s` counted in, and none can
            be had: an old one is never given in its place.
        """
        newest = self._newest()
        if newest is not None and self._age_s(newest) + newest.uncertainty_s <= max_age_s:
            return newest
        cause: BridgeError | None = None
        try:
            newest = self.read(timeout_s=_FRESH_S)
        except BridgeError as error:
            cause = error
        had = "There is none."
        if newest is not None:
            age_s = self._age_s(newest)
            if age_s + newest.uncertainty_s <= max_age_s:
                return newest
            had = f"The newest is {age_s:.3g} s old, give or take {newest.uncertainty_s:.2g} s."
        raise StaleReading(
            f"There is no reading of {self.name} of the last {max_age_s:g} s.",
            why=f"{had} {cause.what}" if cause else had,
            fix="Allow an older one, or see whether the sensor and the microcontroller answer: edge bridge read.",
        ) from cause

    def at(self, time_s: float, *, within_s: float = 1.0) -> Reading:
        """Give its value at a time, between the two readings around that.

        Parameters
        ----------
        time_s : float
            On the line of ``time.monotonic()``: a frame's ``time_s``.
        within_s : float
            How far apart the two may be.

        Raises
        ------
        StaleReading
            If there is no reading before or none after it, or they are too far apart.
        """
        with self._lock:
            kept = list(self._kept)
        place = bisect.bisect_left(kept, time_s, key=lambda reading: reading.time_s)
        if place < len(kept) and kept[place].time_s == time_s:
            return kept[place]
        if not 0 < place < len(kept):
            raise self._nothing_around(
                time_s, "there is none before it" if kept and not place else "there is none after it"
            )
        before, after = kept[place - 1], kept[place]
        apart_s = after.time_s - before.time_s
        if apart_s > within_s:
            raise self._nothing_around(time_s, f"the two around it are {apart_s:.3g} s apart")
        share = (time_s - before.time_s) / apart_s
        value = before.value + share * (after.value - before.value)
        uncertainty_s = max(before.uncertainty_s, after.uncertainty_s)
        return Reading(self.name, value, self.unit, time_s, uncertainty_s)

    def stream(self, period_s: float | None = None) -> Iterator[Reading]:
        """Give one reading after the other, as the microcontroller takes them, without end.

        A reading after a gap says in `missed` how many were lost.

        Parameters
        ----------
        period_s : float, optional
            From one to the next; as the configuration says, unless given. Another stream may ask for more of them.

        Raises
        ------
        Refused
            If that is no time.
        BridgeError
            If the microcontroller does not answer, or refuses.
        """
        if period_s and not 0 < period_s < math.inf:
            raise Refused(
                f"{self.name} cannot be read every {period_s!r} s.",
                fix="Give seconds, more than 0; left out, it is read as often as its configuration says.",
            )
        period_s = period_s or self.entry.period_s or _PERIOD_S
        with closing(self._telemetry.follow(self.name, period_s)) as samples:
            lost = 0
            for sample in samples:
                lost += sample.missed
                if sample.value is None:  # the sensor did not answer just then
                    lost += 1
                    continue
                yield self.take(sample.value, sample.ticks_us, lost, sample.within_us)
                lost = 0

    def take(self, value: Any, ticks_us: Any, missed: int = 0, within_us: Any = 0, age_us: Any = 0) -> Reading:
        """Make a reading of what the microcontroller told, and keep it.

        Parameters
        ----------
        value, ticks_us, missed, within_us
            As in `Sample`.
        age_us : int
            How long before `ticks_us` it was measured; 0 where that is known to be no more, or the firmware is an old
            one that does not tell.

        Raises
        ------
        BridgeError
            If it told no number.
        """
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not all(type(us) is int for us in (ticks_us, within_us, age_us)):
            raise BridgeError(
                f"{self.name} has no value.",
                why=f"The microcontroller told {value!r}.",
                fix="Check the sensor's wiring and supply.",
            )
        moment = self._moment(ticks_us - age_us)
        uncertainty_s = moment.uncertainty_s + max(within_us, 0) / 1e6
        reading = Reading(self.name, value, self.unit, moment.time_s, uncertainty_s, missed)
        with self._lock:
            kept = self._kept
            if not kept or kept[-1].time_s < reading.time_s:
                kept.append(reading)
        return reading

    def _age_s(self, reading: Reading) -> float:
        return max(self._clock() - reading.time_s, 0.0)

    def _newest(self) -> Reading | None:
        with self._lock:
            return self._kept[-1] if self._kept else None

    def _nothing_around(self, time_s: float, why: str) -> StaleReading:
        return StaleReading(
            f"{self.name} cannot be told for the time {time_s:.3f} s.",
            why=f"Of its readings, {why}.",
            fix="Have a stream() of it run while frames are taken, and ask a period later.",
        )
