"""An output: a heater, a lamp, a valve. It goes to its safe value when the lease runs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from firmware_bridge.error import Refused
from firmware_bridge.link.lane import Answer
from firmware_bridge.link.link import TIMEOUT_S
from firmware_bridge.part.dictionary import OutputEntry
from firmware_bridge.part.permission import Permission
from firmware_bridge.wire import number

__all__ = ["Output", "Value"]

Value: TypeAlias = "float | Sequence[int]"


class Output:
    """An output of a microcontroller or of the board's own pins; get one from `Bridge.output` or `Pins.output`.

    Parameters
    ----------
    entry : OutputEntry
        What the dictionary says of it.
    change : function
        Runs a command once: its number, its body, and what it is for messages.
    ask : function
        Reads a name's value, within a time.
    permission : Permission
        Whether it may act.
    """

    def __init__(
        self,
        entry: OutputEntry,
        change: Callable[[int, Mapping[str, Any], str], Answer],
        ask: Callable[[str, float], Answer],
        permission: Permission,
    ) -> None:
        self.entry = entry
        self._change, self._ask, self._permission = change, ask, permission

    def __repr__(self) -> str:
        return f"<Output {self.name!r}, {self.entry.kind}, safe at {self.entry.safe}>"

    @property
    def name(self) -> str:
        """What the configuration calls it."""
        return self.entry.name

    @property
    def value(self) -> Any:
        """What it is set to now, as the microcontroller says."""
        return self._ask(self.name, TIMEOUT_S).body.get("value")

    def set(self, value: Value, *, for_s: float | None = None) -> None:
        """Set it.

        Parameters
        ----------
        value : float or sequence of int
            In its unit; ``(red, green, blue)``, each 0 to 255, where its kind is ``colour``.
        for_s : float, optional
            Go back to the safe value by itself after so long.

        Raises
        ------
        NotAllowed
            If it was not allowed by name.
        Refused
            If the value or the time is out of range, or the microcontroller will not.
        OutcomeUnknown, Restarted, BridgeTimeout
            If the link failed; see there whether it was set.
        """
        value = self._checked(value)
        if for_s is not None and not 0 < for_s < float("inf"):
            raise Refused(
                f"{self.name} cannot be set for {for_s!r} s.", fix="Give seconds, more than 0; left out, it stays set."
            )
        if self._permission.only_recorded(self.name, "set", value):
            return
        self._send(value, for_s)

    def on(self) -> None:
        """Set it to the most that it can."""
        self.set([255, 255, 255] if self.entry.kind == "colour" else 1 if self.entry.most is None else self.entry.most)

    def off(self) -> None:
        """Set it to 0, or to the least that it can."""
        self.set([0, 0, 0] if self.entry.kind == "colour" else self.entry.least or 0)

    def safe(self) -> None:
        """Set it to its safe value; that is always allowed."""
        if not self._permission.dry_run:
            self._send(self.entry.safe, None)

    def _send(self, value: Value, for_s: float | None) -> None:
        body: dict[str, Any] = {"name": self.name, "value": value}
        if for_s is not None:
            body["ms"] = max(1, round(for_s * 1000))
        self._change(number.SET, body, f"Setting {self.name} to {value}")

    def _checked(self, value: Value) -> Value:
        entry = self.entry
        if entry.kind == "colour":
            if isinstance(value, Sequence) and len(value) == 3 and all(_is_byte(part) for part in value):
                return list(value)
            raise self._out_of_range(value, "it takes (red, green, blue), each 0 to 255")
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, (int, float)):
            raise self._out_of_range(value, "it takes a number")
        least = float("-inf") if entry.least is None else entry.least
        most = float("inf") if entry.most is None else entry.most
        if not least <= value <= most:
            raise self._out_of_range(value, f"it takes {least:g} to {most:g} {entry.unit}".rstrip())
        return value

    def _out_of_range(self, value: object, takes: str) -> Refused:
        error = Refused(
            f"{self.name} cannot be set to {value!r}: {takes}.", fix="edge bridge dictionary lists the ranges."
        )
        error.rc = number.RANGE
        return error


def _is_byte(part: object) -> bool:
    return type(part) is int and 0 <= part <= 255
