"""Options of the commands that talk to a microcontroller: its address, and times."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["AUTO", "Addressed", "address_argument", "json_option", "port_option", "seconds"]

Command = TypeVar("Command", bound=Callable[..., Any])

AUTO = "auto"
_HELP = "/dev/..., socket://HOST:PORT, or sim:// for a simulated one.  [default: the one device that is there]"
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", re.ASCII)

json_option = click.option("--json", "as_json", is_flag=True, help="JSON instead of the text.")


class Addressed(click.Command):
    """A command with names as arguments, among which an address may stand, too: it is known by ``://`` or ``/dev/``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take an address that stands among the arguments for that of ``--port``."""
        valued = {
            name for each in self.params if isinstance(each, click.Option) and not each.is_flag for name in each.opts
        }
        places = [at for at, text in enumerate(args) if _is_address(text) and not (at and args[at - 1] in valued)]
        behind = ["what stands behind --port" for text in args if text.split("=")[0] == "--port"]
        told = [args[at] for at in places] + behind
        if len(told) > 1:
            raise click.UsageError(f"Two addresses: {told[0]} and {told[1]}. A command talks to one.", ctx)
        rest = [text for at, text in enumerate(args) if at not in places]
        return super().parse_args(ctx, [*(part for at in places for part in ("--port", args[at])), *rest])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show that an address may stand there."""
        return [*super().collect_usage_pieces(ctx), "[ADDRESS]"]


def _is_address(text: str) -> bool:
    if text.startswith("-"):
        return False
    return "://" in text or (text.startswith("/dev/") and not Path(text).is_file())  # a file may lie in /dev/shm


def port_option(command: Command) -> Command:
    """Add ``--port``, given to the command as ``address``."""
    return click.option("--port", "address", default=AUTO, metavar="ADDRESS", help=_HELP)(command)


def address_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an address that may stand behind the command, or behind ``--port`` as everywhere."""

    @click.argument("address", required=False)
    @click.option("--port", metavar="ADDRESS", help="The same as ADDRESS.")
    @functools.wraps(command)
    def with_address(address: str | None, port: str | None, **rest: Any) -> Any:
        if address and port:
            raise click.UsageError(f"Two addresses: {address} and {port}.")
        return command(address=address or port or AUTO, **rest)

    return with_address


def seconds(most_s: float = float("inf")) -> Callable[[str], float]:
    """Give what reads a time: ``5s``, ``500ms``, ``2min``, ``1h``, or a plain number of seconds."""

    def read(text: str) -> float:
        found = _TIME.fullmatch(text.strip())
        if found is None or found[2] not in _SECONDS:
            raise click.BadParameter(f"{text!r} is no time: write it like 5s, 500ms or 2min.")
        seconds = float(found[1]) * _SECONDS[found[2]]
        if not 0 < seconds <= most_s:
            most = f" and at most {most_s:g} s" if math.isfinite(most_s) else ""
            raise click.BadParameter(f"{text!r} is not more than 0{most}.")
        return seconds

    return read
