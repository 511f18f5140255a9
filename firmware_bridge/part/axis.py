"""An axis of a stage: moved by and to, and homed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firmware_bridge.error import Refused
from firmware_bridge.link.lane import Answer
from firmware_bridge.link.link import TIMEOUT_S
from firmware_bridge.part.dictionary import AxisEntry
from firmware_bridge.part.job import Job
from firmware_bridge.part.permission import Permission
from firmware_bridge.wire import number

__all__ = ["Axis"]


class Axis:
    """An axis of a microcontroller; get one from `Bridge.axis`.

    Parameters
    ----------
    entry : AxisEntry
        What the dictionary says of it.
    begin : function
        Begins a job: number and body of the command, and what it is for messages.
    ask : function
        Reads a name's value, within a time.
    stop : function
        Stops one axis.
    permission : Permission
        Whether it may act.
    """

    def __init__(
        self,
        entry: AxisEntry,
        begin: Callable[[int, Mapping[str, Any], str], Job],
        ask: Callable[[str, float], Answer],
        stop: Callable[[str], object],
        permission: Permission,
    ) -> None:
        self.entry = entry
        self._begin, self._ask, self._stop, self._permission = begin, ask, stop, permission

    def __repr__(self) -> str:
        return f"<Axis {self.name!r}, {self.entry.least_um} to {self.entry.most_um} um>"

    @property
    def name(self) -> str:
        """What the configuration calls it."""
        return self.entry.name

    @property
    def position_um(self) -> float | None:
        """Where it is now, as the microcontroller says; None where that is not known: home it then."""
        at_um = self._ask(self.name, TIMEOUT_S).body.get("value")
        return at_um if isinstance(at_um, (int, float)) else None

    def move_by_um(self, way_um: float, *, speed_um_per_s: float | None = None) -> Job:
        """Begin to move it by so much.

        Raises
        ------
        NotAllowed
            If it was not allowed by name.
        Refused
            If it would leave its range, is moving, or no lease runs.
        OutcomeUnknown, Restarted, BridgeTimeout
            If the link failed; see there whether it began.
        """
        return self._move("by", way_um, speed_um_per_s)

    def move_to_um(self, place_um: float, *, speed_um_per_s: float | None = None) -> Job:
        """Begin to move it to a place; raises as `move_by_um` does, and where it was not homed."""
        least, most = self.entry.least_um, self.entry.most_um
        if not (float("-inf") if least is None else least) <= place_um <= (float("inf") if most is None else most):
            error = Refused(
                f"{self.name} cannot go to {place_um:g} um: it goes from {least} to {most} um.",
                fix="edge bridge dictionary lists the ranges.",
            )
            error.rc = number.RANGE
            raise error
        return self._move("to", place_um, speed_um_per_s)

    def home(self) -> Job:
        """Begin to look for its home; its position is known afterwards."""
        if self._permission.only_recorded(self.name, "home"):
            return self._nothing("Homing")
        return self._begin(number.HOME, {"axis": self.name}, f"Homing {self.name}")

    def stop(self) -> None:
        """Stop it where it is, whatever it does; that is always allowed."""
        self._stop(self.name)

    def _move(self, how: str, um: float, speed_um_per_s: float | None) -> Job:
        if self._permission.only_recorded(self.name, f"move_{how}_um", um):
            return self._nothing(f"Moving {how} {um:g} um")
        body: dict[str, Any] = {"axis": self.name, how: um}
        if speed_um_per_s is not None:
            body["speed"] = speed_um_per_s
        return self._begin(number.MOVE, body, f"Moving {self.name} {how} {um:g} um")

    def _nothing(self, what: str) -> Job:
        return Job(f"{what}, dry", None, self.stop)
