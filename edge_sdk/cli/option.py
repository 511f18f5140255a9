"""Options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["bundle_option", "engine_options", "show_timings"]

Command = TypeVar("Command", bound=Callable[..., Any])


def bundle_option(command: Command) -> Command:
    """Add ``--bundle``."""
    return click.option("--bundle", default="smear", show_default=True, metavar="NAME|FILE", help="The bundle to use.")(
        command
    )


def engine_options(command: Command) -> Command:
    """Add ``--engine`` and ``--threads``."""
    command = click.option("--threads", type=click.IntRange(1, 64), help="Threads of the engine.")(command)
    return click.option(
        "--engine",
        type=click.Choice(["auto", "litert", "interpreter"]),
        default="auto",
        show_default=True,
        help="Which runtime to use.",
    )(command)


def show_timings(line: str) -> None:
    """Tell on standard error, and only to someone who looks, what a run took."""
    if sys.stderr.isatty():
        click.secho(line, err=True, dim=True)
