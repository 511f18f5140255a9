"""Where a line is: the chip and its number behind a pin of the header, or behind a chip's label."""

from __future__ import annotations

import grp
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards import Profile, detect
from boards.errors import EdgeError
from boards.gpio import chip_at, chip_nodes, line_user
from firmware_bridge.error import BridgeError, NoDevice, PortBusy
from firmware_bridge.port.holder import holders

__all__ = ["Place", "Places", "in_use"]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a chip: the chip's node of this start, its label, and the line's number."""

    node: str
    label: str
    line: int

    def __str__(self) -> str:
        return f"line {self.line} of {self.label}"


class Places:
    """Finds lines, each for one use only.

    Parameters
    ----------
    profile : function
        Gives the board's profile, which knows the header.
    nodes : function
        Gives the chips' nodes.
    """

    def __init__(
        self,
        profile: Callable[[], Profile] = lambda: detect().profile,
        nodes: Callable[[], Sequence[Path]] = chip_nodes,
    ) -> None:
        self._profile, self._nodes = profile, nodes
        self._used: dict[Place, str] = {}

    def find(self, name: str, item: Mapping[str, Any]) -> Place:
        """Find the line of an item of the configuration.

        Parameters
        ----------
        name : str
            What hangs there.

        Raises
        ------
        NoDevice
            If there is no such chip, or the chip has no such line.
        BridgeError
            If the header of this board is not known, or two things are to hang on one line.
        """
        label, line = item.get("chip"), item.get("line")
        if "pin" in item:
            try:
                header = self._profile().header_pin(item["pin"])
            except EdgeError as error:
                raise BridgeError(error.what, why=error.why, fix=error.fix) from error
            label, line = header.chip_label, header.line
        place = self._on_chip(name, str(label), int(line or 0))
        if place in self._used:
            raise BridgeError(
                f"{name} and {self._used[place]} are both to hang on {place}.",
                fix="Give each a line of its own in the configuration.",
            )
        self._used[place] = name
        return place

    def _on_chip(self, name: str, label: str, line: int) -> Place:
        found, locked, places = [], [], []
        for node in self._nodes():
            try:
                chip = chip_at(node)
            except PermissionError:
                locked.append(str(node))
                continue
            except OSError:  # gone meanwhile, or broken: it is not the one that was asked for, or is told as missing
                continue
            found.append(chip.label)
            if chip.label == label:
                if line >= chip.lines:
                    raise NoDevice(
                        f"{name} is to hang on line {line} of {label}, which has {chip.lines} lines.",
                        fix=f"Give one from 0 to {chip.lines - 1}; gpioinfo lists them.",
                    )
                places.append(Place(str(node), label, line))
        if len(places) > 1:
            raise BridgeError(
                f"There are {len(places)} GPIO chips {label!r}, and where {name} hangs is not to be guessed.",
                fix="Unplug all but one.",
            )
        if places:
            return places[0]
        raise _no_chip(name, label, found, locked)


def _no_chip(name: str, label: str, found: list[str], locked: list[str]) -> NoDevice:
    if locked:
        group = _group_of(locked[0])
        return NoDevice(
            f"The GPIO chip {label}, for {name}, is not among those that this user may open.",
            why=f"{', '.join(locked)} may not be opened by this user.",
            fix=f"sudo usermod -aG {group} $USER, then log in again; edge doctor tells more.",
        )
    return NoDevice(
        f"There is no GPIO chip {label!r}, on which {name} is to hang.",
        why=f"There is {', '.join(sorted(set(found)))}." if found else "This machine has no GPIO chip at all.",
        fix="Name a chip by the label that gpiodetect shows; edge board tells which this board should have.",
    )


def _group_of(node: str) -> str:

    try:
        return grp.getgrgid(Path(node).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "gpio"


def in_use(name: str, place: Place) -> PortBusy:
    """Say who has a line that another process, or the kernel, uses."""
    user, told = line_user(Path(place.node), place.line), holders(place.node)
    by = f"{place} is used as {user!r}." if user else f"{place} is used."
    return PortBusy(
        f"{name} cannot be had: its line is in use.",
        why=f"{by} {place.node} is held by {', '.join(told)}." if told else by,
        fix="Close that program, then try again: a line belongs to one process at a time.",
    )
