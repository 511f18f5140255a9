"""What sensors tell, as a line of a prompt: name, value, unit and age, at the time of the frame."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol, cast

from edge_sdk.errors import PromptError, PromptTooLong
from edge_sdk.frame import Frame
from firmware_bridge.error import BridgeError, StaleReading
from firmware_bridge.reading import Reading

__all__ = ["NO_ROOM", "STALE", "ReadingLine", "Told", "at_moment"]

STALE, NO_ROOM = "stale", "no room"
_MAX_AGE_S = 2.0
_MOST_TOKENS = 96  # five readings or so
_NAME_MOST = 40
# What stands in names and units besides letters and digits; all else could be read as a part of the template.
_SIGNS = " _-./%°·"


class _Sensor(Protocol):
    name: str

    def latest(self, max_age_s: float) -> Reading: ...


@dataclass(frozen=True, slots=True)
class Told:
    """What a prompt tells of sensors.

    Attributes
    ----------
    prompt : str
        With the line of readings before the question.
    readings : tuple of Reading
        Those in the line, with the time of each and its uncertainty.
    unread : mapping
        Names of sensors without a reading in the line, and why: ``stale`` (the line says ``unknown``) or ``no room``.
    """

    prompt: str = ""
    readings: tuple[Reading, ...] = ()
    unread: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class ReadingLine:
    """Which sensors a question tells of, and how; `ask` takes it, or plain sensors and readings, as ``sensors``.

    The line stands before the question: ``Readings: temperature 37.2 degC (0.4 s ago); humidity 55 % (0.1 s ago).``
    Values have three digits, or all those before the point. Ages count from the newest frame, or from the question
    where there is none; a reading from after the frame is ``0.3 s later``. With a frame, a sensor that can
    (`Sensor.at`) gives its value between the readings around the frame's time; else its latest is taken.

    Parameters
    ----------
    sensors : sequence or mapping
        Sensors (`Bridge.sensor`) and readings; or the same by the names that the line is to call them.
    max_age_s : float
        How far from the frame's time, or the question's, a reading may be, the uncertainty of its own time included.
    stale : {'error', 'mark'}
        What becomes of a sensor without such a reading: StaleReading, or ``humidity unknown`` in the line.
    most_tokens : int
        How many tokens the line may have.
    overflow : {'error', 'leave out'}
        What becomes of a longer one: PromptTooLong, or the last sensors are left out, which `Answer.unread` tells.
    clock : function
        Monotonic seconds.

    Raises
    ------
    PromptError
        If something is neither a sensor nor a reading, or a setting makes no sense.

    Examples
    --------
    >>> reading = Reading("temperature", 37.24, "degC", 9.6, 0.001)
    >>> line = ReadingLine([reading], clock=lambda: 10.0)
    >>> print(line.before("Is it warm?", [], str.split).prompt)
    Readings: temperature 37.2 degC (0.4 s ago).
    Is it warm?
    """

    def __init__(
        self,
        sensors: Sequence[object] | Mapping[str, object],
        *,
        max_age_s: float = _MAX_AGE_S,
        stale: str = "error",
        most_tokens: int = _MOST_TOKENS,
        overflow: str = "error",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(sensors, Mapping):
            self._parts = [(_plain(str(name)), _checked(part)) for name, part in sensors.items()]
        else:
            self._parts = [(_plain(_checked(part).name), part) for part in sensors]
        for name, value, known in (
            ("stale", stale, ("error", "mark")),
            ("overflow", overflow, ("error", "leave out")),
        ):
            if value not in known:
                raise PromptError(f"{name} is {value!r}.", fix=f"It is {known[0]!r} or {known[1]!r}.")
        if not max_age_s > 0:
            raise PromptError(f"max_age_s is {max_age_s!r}.", fix="Give seconds, more than 0.")
        self._max_age_s, self._stale, self._clock = max_age_s, stale, clock
        self._most_tokens, self._overflow = most_tokens, overflow
        self._moment_s: float | None = None

    @classmethod
    def of(cls, sensors: object) -> ReadingLine:
        """Make one of what `ask` takes: a line, sensors and readings, or None."""
        if isinstance(sensors, ReadingLine):
            return sensors
        if sensors is None:
            return _NOTHING
        if isinstance(sensors, Mapping) or (isinstance(sensors, Sequence) and not isinstance(sensors, str)):
            return cls(sensors)
        return cls([sensors])

    def at(self, moment_s: float) -> ReadingLine:
        """Give the same line for a time, whichever frame is shown."""
        line = object.__new__(ReadingLine)
        line.__dict__.update(self.__dict__, _moment_s=moment_s)
        return line

    def before(self, prompt: str, frames: Sequence[Frame], encode: Callable[[str], Sequence[object]]) -> Told:
        """Read the sensors and put their line before a question.

        Parameters
        ----------
        prompt : str
            The question.
        frames : sequence of Frame
            What it is about.
        encode : function
            Tokenizes.

        Raises
        ------
        StaleReading
            If a sensor has no reading near enough in time, unless that is to be marked.
        PromptTooLong
            If the line has more tokens than it may, unless sensors are to be left out.
        """
        if not self._parts:
            return Told(prompt)
        framed = self._moment_s is not None or bool(frames)
        if self._moment_s is not None:
            moment_s = self._moment_s
        else:
            moment_s = max(frame.time_s for frame in frames) if frames else self._clock()
        found = [self._read(name, part, moment_s, framed=framed) for name, part in self._parts]
        if not framed:
            moment_s = self._clock()  # reading took its time
        words = [
            f"{name} unknown" if reading is None else _words(name, reading, moment_s - reading.time_s)
            for (name, _), reading in zip(self._parts, found, strict=True)
        ]
        fitting = self._fitting(words, encode)
        unread = {name: STALE for (name, _), reading in zip(self._parts, found, strict=True) if reading is None}
        unread |= {name: NO_ROOM for name, _ in self._parts[fitting:]}
        text = f"{_line(words[:fitting])}\n{prompt}" if fitting else prompt
        readings = tuple(reading for reading in found[:fitting] if reading is not None)
        return Told(text, readings, MappingProxyType(unread))

    def _read(self, name: str, part: object, moment_s: float, *, framed: bool) -> Reading | None:
        try:
            reading = part if isinstance(part, Reading) else self._ask(part, moment_s, framed=framed)
            now_s = moment_s if framed else self._clock()
            far_s = abs(now_s - reading.time_s) + reading.uncertainty_s
            if far_s > self._max_age_s or not math.isfinite(reading.value):
                raise StaleReading(
                    f"There is no reading of {name} within {self._max_age_s:g} s of the {_moment(framed)}.",
                    why=f"There is {reading}, {abs(now_s - reading.time_s):.3g} s from it.",
                    fix="Ask about a newer frame, give newer readings, or allow it: ReadingLine(..., stale='mark').",
                )
        except (StaleReading, BridgeError):
            if self._stale == "error":
                raise
            return None
        return replace(reading, name=name)

    def _ask(self, sensor: object, moment_s: float, *, framed: bool) -> Reading:
        at = getattr(sensor, "at", None) if framed else None
        if at is not None:
            try:
                return cast(Reading, at(moment_s, within_s=self._max_age_s))
            except StaleReading:  # nothing from both sides of it
                pass
        return cast(_Sensor, sensor).latest(self._max_age_s)

    def _fitting(self, words: Sequence[str], encode: Callable[[str], Sequence[object]]) -> int:
        """Give how many sensors fit into the line."""
        count = len(words)
        while count and (tokens := len(encode(_line(words[:count])))) > self._most_tokens:
            if self._overflow == "error":
                raise PromptTooLong(
                    f"The line of {count} readings has {tokens} tokens; {self._most_tokens} are allowed.",
                    fix="Tell of fewer sensors, or pass ReadingLine(sensors, most_tokens=..., overflow='leave out').",
                )
            count -= 1
        return count


def at_moment(settings: Mapping[str, Any], moment_s: float) -> dict[str, Any]:
    """Give settings of `ask` whose sensors are read for a time: that of a frame which an earlier one stands for."""
    if settings.get("sensors") is None:
        return dict(settings)
    return {**settings, "sensors": ReadingLine.of(settings["sensors"]).at(moment_s)}


def _line(words: Sequence[str]) -> str:
    return f"Readings: {'; '.join(words)}."


def _words(name: str, reading: Reading, age_s: float) -> str:
    unit = f" {_plain(reading.unit)}" if reading.unit else ""
    when = f"{-age_s:.1f} s later" if age_s <= -0.05 else f"{abs(age_s):.1f} s ago"
    return f"{name} {_digits(reading.value)}{unit} ({when})"


def _digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _moment(framed: bool) -> str:
    return "frame" if framed else "question"


def _plain(text: str) -> str:
    """Keep of a name or unit what says nothing to a prompt template: a microcontroller may call itself anything."""
    return "".join(sign if sign.isalnum() or sign in _SIGNS else "?" for sign in text)[:_NAME_MOST]


def _checked(part: object) -> Any:
    if not isinstance(part, Reading) and not (hasattr(part, "name") and hasattr(part, "latest")):
        raise PromptError(
            f"{part!r:.80} is neither a sensor nor a reading.",
            fix='Give what bridge.sensor("temperature") gives, or a Reading.',
        )
    return part


_NOTHING = ReadingLine(())
