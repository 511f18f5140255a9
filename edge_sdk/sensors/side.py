"""What rules work on: a bridge, the board's own pins, or both under one set of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from edge_sdk.errors import RuleError
from firmware_bridge.part.axis import Axis
from firmware_bridge.part.dictionary import Dictionary
from firmware_bridge.part.output import Output
from firmware_bridge.part.sensor import Sensor
from firmware_bridge.session.lease import Keeper

__all__ = ["Side", "Sides"]

Entry = TypeVar("Entry")


class Side(Protocol):
    """What has sensors and outputs: `Bridge` and `Pins` are such."""

    @property
    def kind(self) -> str:
        """What it is, in a word for messages."""

    @property
    def dictionary(self) -> Dictionary:
        """What it offers."""

    @property
    def epoch(self) -> tuple[int, int]:
        """Which start of it this is, and how often its lease ran out: outputs are safe whenever that has changed."""

    @property
    def lease(self) -> Keeper:
        """What its outputs live on."""

    def sensor(self, name: str) -> Sensor:
        """Give a sensor by its name."""

    def output(self, name: str) -> Output:
        """Give an output by its name."""

    def axis(self, name: str) -> Axis:
        """Give an axis by its name."""

    def stop(self) -> None:
        """Make all safe at once."""


class Sides:
    """Several sides as one: what is named is looked for on each.

    Parameters
    ----------
    sides : sequence of Side
        At least one; open.

    Raises
    ------
    RuleError
        If two of them have something of the same name.
    """

    def __init__(self, sides: Sequence[Side]) -> None:
        self.all = tuple(sides)
        self.dictionary = _joined([side.dictionary for side in sides])

    def sensor(self, name: str) -> Sensor:
        """Give a sensor by its name; raises UnknownName."""
        return self.of(name).sensor(name)

    def output(self, name: str) -> Output:
        """Give an output by its name; raises UnknownName."""
        return self.of(name).output(name)

    def axis(self, name: str) -> Axis:
        """Give an axis by its name; raises UnknownName."""
        return self.of(name).axis(name)

    def of(self, name: str) -> Side:
        """Give the side on which a name is; of one that is not known, any, which will say so."""
        return next((side for side in self.all if name in _names(side.dictionary)), self.all[0])


def _names(offers: Dictionary) -> tuple[str, ...]:
    return (*offers.sensors, *offers.outputs, *offers.axes)


def _joined(offers: Sequence[Dictionary]) -> Dictionary:
    names = [name for each in offers for name in _names(each)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RuleError(
            f"The microcontroller and the pins both have {', '.join(twice)}.",
            why="Rules name things, and which of the two is meant is not to be guessed.",
            fix="Give them other names in the configuration of the pins.",
        )

    def all_of(kind: Callable[[Dictionary], Mapping[str, Entry]]) -> dict[str, Entry]:
        return {name: entry for each in offers for name, entry in kind(each).items()}

    return Dictionary(
        all_of(lambda each: each.sensors),
        all_of(lambda each: each.outputs),
        all_of(lambda each: each.axes),
        max(each.longest_lease_s for each in offers),
    )
