"""The board's own pins, where a command may take them in place of a microcontroller."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_sdk.cli.bridge.address import AUTO
from firmware_bridge.error import UnknownName
from firmware_bridge.pins import Pins, open_pins
from firmware_bridge.pins.config import read_config

__all__ = ["open_output", "open_sensors", "pins_option"]

Command = TypeVar("Command", bound=Callable[..., Any])

_HELP = "What hangs on the board's own pins, in place of a microcontroller."


def pins_option(command: Command) -> Command:
    """Add ``--pins``, the file that says what hangs where."""
    return click.option("--pins", type=click.Path(path_type=Path), metavar="FILE", help=_HELP)(command)


def open_sensors(file: Path, address: str, names: Collection[str]) -> Pins:
    """Open sensors of the pins, all where none is named. No output is touched, and another process may have them."""
    config = _config(file, address)
    sensors = config.get("sensors", {})
    for name in names:
        _check(file, "sensor", name, sensors)
    wanted = {name: item for name, item in sensors.items() if not names or name in names}
    used = {item.get("bus") for item in wanted.values()}
    buses = {name: item for name, item in config.get("buses", {}).items() if name in used}
    return open_pins({**config, "buses": buses, "sensors": wanted, "outputs": {}})


def open_output(file: Path, address: str, name: str) -> Pins:
    """Open one output of the pins, which may act; all else stays as it is."""
    config = _config(file, address)
    outputs = config.get("outputs", {})
    _check(file, "output", name, outputs)
    return open_pins({**config, "sensors": {}, "buses": {}, "outputs": {name: outputs[name]}}, allow=[name])


def _config(file: Path, address: str) -> dict[str, Any]:
    if address != AUTO:
        raise click.UsageError(f"Name either a microcontroller ({address}) or the board's own pins ({file}).")
    return read_config(file)


def _check(file: Path, kind: str, name: str, there: Collection[str]) -> None:
    if name not in there:
        listed = f"There is {', '.join(sorted(there))}." if there else "There is none at all."
        raise UnknownName(
            f"{file} has no {kind} {name!r}.", why=listed, fix="Name one of those, or put it into the file."
        )
