"""``edge bridge``: the microcontroller that holds sensors, outputs and axes."""

from __future__ import annotations

import click

from edge_sdk.cli.table import Table

__all__ = ["bridge"]

COMMANDS = {
    "clear": ("edge_sdk.cli.bridge.act", "clear"),
    "confirm": ("edge_sdk.cli.bridge.firmware", "confirm"),
    "configure": ("edge_sdk.cli.bridge.upkeep", "configure"),
    "dictionary": ("edge_sdk.cli.bridge.look", "dictionary"),
    "flash": ("edge_sdk.cli.bridge.firmware", "flash"),
    "home": ("edge_sdk.cli.bridge.act", "home"),
    "info": ("edge_sdk.cli.bridge.look", "info"),
    "list": ("edge_sdk.cli.bridge.ports", "list_ports"),
    "monitor": ("edge_sdk.cli.bridge.monitor", "monitor"),
    "move": ("edge_sdk.cli.bridge.act", "move"),
    "read": ("edge_sdk.cli.bridge.read", "read"),
    "selftest": ("edge_sdk.cli.bridge.upkeep", "selftest"),
    "set": ("edge_sdk.cli.bridge.act", "set_output"),
    "stop": ("edge_sdk.cli.bridge.act", "stop"),
    "update": ("edge_sdk.cli.bridge.firmware", "update"),
}


@click.group(cls=Table, table=COMMANDS, no_args_is_help=True)
def bridge() -> None:
    """Talk to the microcontroller that holds sensors, outputs and axes.

    ADDRESS is /dev/..., socket://HOST:PORT, or sim:// for a simulated one, which is never chosen unasked; without
    it the one serial device that is there. It may stand anywhere among the arguments, or behind --port. A port
    belongs to one process at a time. What hangs on the board's own pins, read and set reach with --pins.

    \b
    Examples:
      edge bridge list
      edge bridge info
      edge bridge read temperature --watch
      edge bridge set heater 0.5 --for 10s sim://incubator
    """
