"""Options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import click

from edge_sdk.sources import PICTURE_SUFFIXES

__all__ = [
    "Region",
    "budget_option",
    "bundle_option",
    "check_overlay",
    "engine_options",
    "region_option",
    "show_timings",
]

Region: TypeAlias = "tuple[float, ...]"
Command = TypeVar("Command", bound=Callable[..., Any])


def bundle_option(command: Command) -> Command:
    """Add ``--bundle``."""
    return click.option("--bundle", default="smear", show_default=True, metavar="NAME|FILE", help="The bundle to use.")(
        command
    )


def budget_option(command: Command) -> Command:
    """Add ``--budget``."""
    return click.option(
        "--budget",
        metavar="AMOUNT",
        help="How much memory may be taken, such as 512MB; it is planned for and kept to. Else what EDGE_BUDGET says.",
    )(command)


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


def region_option(command: Command) -> Command:
    """Add ``--region``."""
    return click.option(
        "--region",
        type=_region,
        metavar="X,Y,W,H",
        help="Look at a part of each frame: left, top, width and height in pixels, or in shares such as 0.25.",
    )(command)


def _region(text: str) -> Region:
    """Read four numbers; those without a point are whole."""
    try:
        numbers = tuple(float(word) if "." in word else int(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 4:
        raise click.BadParameter(f"{text!r} is not four numbers, such as 160,120,320,240 or 0.25,0.25,0.5,0.5.")
    return numbers


def check_overlay(target: Path, pictures: Iterable[str | Path]) -> None:
    """Refuse to write over a picture that is being looked at, or as what is no picture, before anything is run."""
    if target.suffix.lower() not in PICTURE_SUFFIXES:
        raise click.UsageError(f"{target} is no name for a picture: end it with .png or .jpg.")
    for picture in pictures:
        if target.exists() and Path(picture).exists() and target.samefile(picture):
            raise click.UsageError(f"{target} is one of the pictures themselves: give another place for the overlay.")


def show_timings(line: str) -> None:
    """Tell on standard error, and only to someone who looks, what a run took."""
    if sys.stderr.isatty():
        click.secho(line, err=True, dim=True)
