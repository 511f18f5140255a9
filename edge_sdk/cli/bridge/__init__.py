"""``edge bridge``: the microcontroller that holds sensors, outputs and axes."""

from __future__ import annotations

import click

from edge_sdk.cli.bridge.act import clear, home, move, set_output, stop
from edge_sdk.cli.bridge.look import dictionary, info
from edge_sdk.cli.bridge.monitor import monitor_command
from edge_sdk.cli.bridge.ports import list_ports
from edge_sdk.cli.bridge.read import read_command
from edge_sdk.cli.bridge.upkeep import configure, selftest, update

__all__ = ["bridge"]


@click.group(no_args_is_help=True)
def bridge() -> None:
    """Talk to the microcontroller that holds sensors, outputs and axes.

    ADDRESS is /dev/..., socket://HOST:PORT, or sim:// for a simulated one, which is never chosen unasked; without
    it the one serial device that is there. A port belongs to one process at a time.

    \b
    Examples:
      edge bridge list
      edge bridge info
      edge bridge read temperature --watch
      edge bridge set heater 0.5 --for 10s --port sim://incubator
    """


for _command in (
    *(list_ports, info, dictionary, read_command),
    *(set_output, move, home, stop, clear),
    *(configure, update, monitor_command, selftest),
):
    bridge.add_command(_command)
