"""A trigger: tells when a sensor's value has passed a limit, once, until it has come back far enough."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from edge_sdk.errors import TriggerError
from firmware_bridge.error import BridgeClosed, BridgeError, StaleReading
from firmware_bridge.heartbeat import HEARTBEAT
from firmware_bridge.reading import Reading

__all__ = ["BLIND", "FIRED", "REARMED", "SEEING", "Event", "Limits", "Readable", "Trigger"]

logger = logging.getLogger(__name__)

FIRED, REARMED, BLIND, SEEING = "fired", "rearmed", "blind", "seeing"

MAX_AGE_S = 2.0
_PERIOD_S = 0.1
_READ_S = 0.5  # longest wait for one reading; the link tries again meanwhile


class Readable(Protocol):
    """What a trigger needs of a sensor, on whichever side it hangs."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def unit(self) -> str:
        """Of its values."""

    def read(self, *, timeout_s: float = ...) -> Reading:
        """Read it now; raises BridgeError where it does not answer."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a trigger tells.

    Attributes
    ----------
    kind : str
        ``fired``; ``rearmed``: it may fire again; ``blind``: there is no reading that it could go by; ``seeing``:
        there is one again.
    sensor : str
        The sensor's name.
    reading : Reading or None
        The one that did it; None of ``blind``.
    text : str
        In plain words: ``temperature 38.2 degC, above 38``.
    """

    kind: str
    sensor: str
    reading: Reading | None
    text: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a trigger fires, and where it may fire again.

    Attributes
    ----------
    above, below : float or None
        It fires above the one and below the other; one of them at least.
    rearm_below, rearm_above : float or None
        It may fire again below the one and above the other; by default the limits themselves.
    for_s : float
        How long the value has to be beyond a limit before it fires.

    Raises
    ------
    TriggerError
        If they say nothing, or what can never be.
    """

    above: float | None = None
    below: float | None = None
    rearm_above: float | None = None
    rearm_below: float | None = None
    for_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("above", "below", "rearm_above", "rearm_below", "for_s"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise TriggerError(f"{name} is {value!r}.", fix="Give a number.")
            if value is not None and not math.isfinite(value):
                raise TriggerError(f"{name} is {value}.", fix="Give a number that a sensor can reach.")
        if self.above is None and self.below is None:
            raise TriggerError("A trigger has no limit.", fix="Say above= or below=, or both.")
        if self.for_s < 0:
            raise TriggerError(f"for_s is {self.for_s:g}.", fix="Give seconds, or leave it out.")
        self._check_pair("rearm_below", self.rearm_below, "above", self.above, 1)
        self._check_pair("rearm_above", self.rearm_above, "below", self.below, -1)
        if self.above is not None and self.below is not None and not self.rearm_floor < self.rearm_ceiling:
            raise TriggerError(
                f"There is nothing between {self.rearm_floor:g} and {self.rearm_ceiling:g}, where it would arm again.",
                fix="The lower limit goes with below= and rearm_above=, the upper one with above= and rearm_below=.",
            )

    def _check_pair(self, name: str, value: float | None, limit_name: str, limit: float | None, sign: int) -> None:
        if value is None:
            return
        if limit is None:
            raise TriggerError(f"{name} says nothing without {limit_name}.", fix=f"Add {limit_name}=, or take it out.")
        if sign * value > sign * limit:
            side = "above" if sign > 0 else "below"
            raise TriggerError(
                f"{name} is {value:g}, which is {side} the limit of {limit:g}.",
                why="It would arm again while its condition still holds.",
                fix=f"Give {limit:g}, or a value on the other side of it.",
            )

    @property
    def rearm_ceiling(self) -> float:
        """Below it the trigger may fire again."""
        if self.rearm_below is not None:
            return self.rearm_below
        return math.inf if self.above is None else self.above

    @property
    def rearm_floor(self) -> float:
        """Above it the trigger may fire again."""
        if self.rearm_above is not None:
            return self.rearm_above
        return -math.inf if self.below is None else self.below

    def passed(self, value: float) -> str:
        """Say which limit a value is beyond: ``above 38``; nothing where it is within them."""
        if self.above is not None and value > self.above:
            return f"above {self.above:g}"
        if self.below is not None and value < self.below:
            return f"below {self.below:g}"
        return ""

    def rearms(self, value: float) -> bool:
        """Say whether a value is back far enough."""
        return self.rearm_floor < value < self.rearm_ceiling


class Trigger:
    """Fires once when a sensor's value passes a limit, and again only after it has come back.

    Readings that are missing, old, or no number never fire it and never arm it again; that there are none is told.
    What was not seen was not held: `for_s` begins anew after a gap of more than `max_age_s`.

    Parameters
    ----------
    sensor : Sensor
        From `Bridge.sensor`.
    above, below, rearm_above, rearm_below, for_s
        See `Limits`.
    max_age_s : float
        An older reading is none.
    period_s : float
        How often `events` reads the sensor.
    clock, sleep : function
        Monotonic seconds, on the line of the readings; waits.

    Attributes
    ----------
    armed : bool
        Whether it may fire.
    blind : bool
        Whether there was no reading to go by lately.

    Raises
    ------
    TriggerError
        If the limits say nothing, or what can never be.

    Examples
    --------
    >>> class Thermometer:
    ...     name, unit = "temperature", "degC"
    >>> trigger = Trigger(Thermometer(), above=38.0, rearm_below=37.0, max_age_s=60, clock=lambda: 0.0)
    >>> told = [trigger.update(Reading("temperature", value, "degC", time_s, 0.001))
    ...         for time_s, value in enumerate((37.5, 38.2, 37.5, 38.4, 36.9, 38.1))]
    >>> [event.kind if event else None for event in told]
    [None, 'fired', None, None, 'rearmed', 'fired']
    """

    def __init__(
        self,
        sensor: Readable,
        *,
        above: float | None = None,
        below: float | None = None,
        rearm_above: float | None = None,
        rearm_below: float | None = None,
        for_s: float = 0.0,
        max_age_s: float = MAX_AGE_S,
        period_s: float = _PERIOD_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.limits = Limits(above, below, rearm_above, rearm_below, for_s)
        for name, value in (("max_age_s", max_age_s), ("period_s", period_s)):
            if not 0 < value < math.inf:
                raise TriggerError(f"{name} is {value!r}.", fix="Give seconds, more than 0.")
        self.sensor = sensor
        self.max_age_s, self.period_s = max_age_s, period_s
        self._clock, self._sleep = clock, sleep
        self.armed, self.blind = True, False
        self._last: Reading | None = None
        self._since_s: float | None = None  # beyond a limit without a gap
        self._sighted_s = clock()  # when it could last go by one

    def __repr__(self) -> str:
        state = "blind" if self.blind else "armed" if self.armed else "fired"
        return f"<Trigger on {self.sensor.name!r}, {state}>"

    def reset(self) -> None:
        """Arm it, whatever it did before: where its condition holds, it fires anew."""
        self.armed, self._since_s = True, None

    def update(self, reading: Reading | None, why: str = "") -> Event | None:
        """Take a reading and tell what it changes. Nothing is read and nobody waits here.

        Parameters
        ----------
        reading : Reading or None
            None where there is none.
        why : str
            Of that.
        """
        fault = self._fault(reading, why)
        if fault or reading is None:
            return self._lose_sight(fault)
        if self._is_known(reading):
            return None
        if self._last is not None and reading.time_s - self._last.time_s > self.max_age_s:
            self._since_s = None
        self._last, self._sighted_s = reading, self._clock()
        was_blind, self.blind = self.blind, False
        event = self._judge(reading)
        if event is None and was_blind:
            return Event(SEEING, reading.name, reading, f"{reading}: there are readings again")
        return event

    def _is_known(self, reading: Reading) -> bool:
        """Say whether it is the last one again, or one from before it, as far as their times are sure."""
        last = self._last
        if last is None or reading.time_s > last.time_s:
            return False
        return reading == last or last.time_s - reading.time_s > last.uncertainty_s + reading.uncertainty_s

    def _fault(self, reading: Reading | None, why: str) -> str:
        if reading is None:
            return why or f"There is no reading of {self.sensor.name}."
        if not math.isfinite(reading.value):
            return f"{reading.name} told {reading.value}, which is no value."
        age_s = self._clock() - reading.time_s
        if age_s > self.max_age_s:
            return f"The newest reading of {reading.name} is {age_s:.3g} s old."
        if reading.uncertainty_s + max(age_s, 0.0) > self.max_age_s:
            return f"When {reading.name} was read is known to {reading.uncertainty_s:.3g} s only: it may be old."
        if age_s < -self.max_age_s:
            return f"The reading of {reading.name} is {-age_s:.3g} s ahead of its time."
        return ""

    def _lose_sight(self, fault: str) -> Event | None:
        self._since_s = None
        if self.blind:
            return None
        self.blind = True
        return Event(BLIND, self.sensor.name, None, fault)

    def _judge(self, reading: Reading) -> Event | None:
        passed = self.limits.passed(reading.value)
        if not self.armed:
            if not self.limits.rearms(reading.value):
                return None
            self.armed = True
            return Event(REARMED, reading.name, reading, f"{reading}: armed again")
        if not passed:
            self._since_s = None
            return None
        since_s = self._since_s = reading.time_s if self._since_s is None else self._since_s
        if reading.time_s - since_s < self.limits.for_s:
            return None
        self.armed, self._since_s = False, None
        held = f" for {self.limits.for_s:g} s" if self.limits.for_s else ""
        return Event(FIRED, reading.name, reading, f"{reading}, {passed}{held}")

    def look(self) -> Event | None:
        """Read the sensor and tell what that changes; a reading that does not come is tried for `max_age_s`.

        Raises
        ------
        BridgeClosed
            If the bridge was closed.
        """
        try:
            return self.update(self.sensor.read(timeout_s=min(_READ_S, self.max_age_s)))
        except BridgeClosed:
            raise
        except (BridgeError, StaleReading) as error:
            return self.miss(error.what)

    def miss(self, why: str) -> Event | None:
        """Take that a reading did not come: it is blind once there was none for `max_age_s`."""
        return self.update(None, why) if self._clock() - self._sighted_s > self.max_age_s else None

    def events(self) -> Iterator[Reading]:
        """Give each reading that fires it, without end; that there are none, or again, is logged.

        Raises
        ------
        BridgeClosed
            If the bridge was closed.
        """
        while True:
            HEARTBEAT.beat()
            event = self.look()
            if event is not None:
                level = logging.WARNING if event.kind == BLIND else logging.INFO
                logger.log(level, "%s: %s", event.kind, event.text)
                if event.kind == FIRED and event.reading is not None:
                    yield event.reading
            self._sleep(self.period_s)
