"""A rule: when something is to happen, and what; described apart from doing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from edge_sdk.sensors.trigger import MAX_AGE_S, Limits

__all__ = ["Ask", "Move", "Rule", "Rules", "Set", "When"]


@dataclass(frozen=True, slots=True)
class When:
    """A sensor and its limits; the rule fires as a `Trigger` does, which goes by no reading older than `max_age_s`."""

    sensor: str
    limits: Limits
    max_age_s: float = MAX_AGE_S


@dataclass(frozen=True, slots=True)
class Set:
    """An output and what it is set to.

    Attributes
    ----------
    value : float or tuple of int
        In the output's unit; ``(red, green, blue)`` of a colour.
    for_s : float or None
        Its lease: after so long it goes back to its safe value by itself. None: when the service ends.
    """

    output: str
    value: float | tuple[int, ...]
    for_s: float | None

    def __str__(self) -> str:
        value = f"{self.value:g}" if isinstance(self.value, (int, float)) else str(self.value)
        return f"{self.output} to {value}{'' if self.for_s is None else f' for {self.for_s:g} s'}"


@dataclass(frozen=True, slots=True)
class Move:
    """An axis and where it goes.

    Attributes
    ----------
    how : str
        ``by``, ``to`` or ``home``.
    um : float
        Micrometres; 0 of ``home``.
    """

    axis: str
    how: str
    um: float

    def __str__(self) -> str:
        return f"{self.axis} home" if self.how == "home" else f"{self.axis} {self.how} {self.um:g} um"


@dataclass(frozen=True, slots=True)
class Ask:
    """A question.

    Attributes
    ----------
    sensors : tuple of str
        Whose readings are told before it.
    frame : bool
        Whether it is about the newest frame of the camera.
    max_tokens : int or None
        Most tokens of the answer.
    max_age_s : float
        An older reading is told as unknown.
    """

    prompt: str
    sensors: tuple[str, ...]
    frame: bool
    max_tokens: int | None
    max_age_s: float = MAX_AGE_S


@dataclass(frozen=True, slots=True)
class Rule:
    """When, and what.

    Attributes
    ----------
    when : When or None
        Fires once when a limit is passed.
    every_s : float or None
        Without `when`: every so often. With it: again every so often, as long as it has not armed again.
    sets, move, ask, say
        What then happens: outputs, an axis, a question, a text that is shown.
    """

    name: str
    when: When | None
    every_s: float | None
    sets: tuple[Set, ...]
    move: Move | None
    ask: Ask | None
    say: str

    @property
    def names(self) -> tuple[str, ...]:
        """The sensor that it goes by, and what it sets and moves."""
        sensor = (self.when.sensor,) if self.when else ()
        return (*sensor, *(each.output for each in self.sets), *((self.move.axis,) if self.move else ()))


@dataclass(frozen=True, slots=True)
class Rules:
    """A file of rules.

    Attributes
    ----------
    path : str
        Where it was read.
    title : str
        What it is for.
    bridge : str
        The microcontroller's address; empty without one.
    pins : str
        The file that says what hangs on the board's own pins; empty without them.
    sim : str
        What ``sim://`` alone stands for: a simulated device with settings that suit these rules.
    camera, bundle : str
        What questions are about and who answers them; no camera where empty.
    readings_every_s : float
        How often readings are shown and logged.
    outputs, axes : tuple of str
        What may act.
    log : str
        The journal's file; none where empty.
    log_most_mb : float
        Its limit.
    text : str
        The file itself.
    """

    path: str
    title: str
    bridge: str
    pins: str
    sim: str
    camera: str
    bundle: str
    readings_every_s: float
    outputs: tuple[str, ...]
    axes: tuple[str, ...]
    log: str
    log_most_mb: float
    rules: tuple[Rule, ...]
    text: str = field(default="", repr=False)

    @property
    def sensors(self) -> tuple[str, ...]:
        """Every sensor that is read, in the order in which rules name them."""
        return tuple(dict.fromkeys(self._sensors()))

    @property
    def asks(self) -> bool:
        """Whether there is a question among them."""
        return any(rule.ask for rule in self.rules)

    def _sensors(self) -> Iterator[str]:
        for rule in self.rules:
            if rule.when:
                yield rule.when.sensor
            if rule.ask:
                yield from rule.ask.sensors
