"""``edge plan``: how a bundle would run within a budget, told before anything of it is loaded."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import click

from edge_sdk.bundle import open_bundle
from edge_sdk.cli.option import engine_options
from edge_sdk.memory.family import variant_files
from edge_sdk.memory.flash import measure_read_rate
from edge_sdk.memory.measurement import measure
from edge_sdk.memory.plan import Plan
from edge_sdk.memory.planner import plan_for
from edge_sdk.memory.section import DECODER, TASKS
from edge_sdk.memory.thread_choice import measure_threads
from edge_sdk.runtime import WeightCache
from edge_sdk.units import parse_bytes

__all__ = ["plan"]


@click.command(no_args_is_help=True)
@click.argument("bundle", metavar="BUNDLE|FILE")
@click.option(
    "--budget",
    metavar="AMOUNT",
    help="How much memory may be taken, such as 512MB; else what EDGE_BUDGET says, or what there is.",
)
@click.option("--board", metavar="ID", help="A board to plan for that is not this machine, such as rpi-zero-2w.")
@click.option("--ram", metavar="AMOUNT", help="Which RAM option of that board, such as 2GiB; else its smallest.")
@click.option("--task", type=click.Choice(TASKS), default="all", show_default=True, help="What must work.")
@click.option("--stream", is_flag=True, help="Read weights that do not fit from flash, for every token anew.")
@click.option(
    "--read-rate",
    metavar="AMOUNT|measure",
    help="What that flash delivers in a second; else 20MB is assumed. measure reads 16 MiB to find out.",
)
@click.option(
    "--measure",
    "measured",
    is_flag=True,
    help="First find out what its sections take, and which number of threads is best, in minutes at most.",
)
@engine_options
@click.option("--json", "as_json", is_flag=True, help="JSON instead of tables.")
def plan(
    bundle: str,
    board: str | None,
    ram: str | None,
    read_rate: str | None,
    measured: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Tell how a BUNDLE will run within a budget, or why it will not, from its headers alone.

    Shown are how each section is held (resident, sequential, streamed or refused), what the process takes at each
    moment, and what was given up for it (+) or could not be (-). The best variant that fits is taken: for smear
    also smear@int4 where there is one. Exits with 1 where nothing fits.

    \b
    Examples:
      edge plan smear
      edge plan smear --budget 64MB
      edge plan smear --measure
      edge plan gemma-3n --board rpi-4b --ram 4GiB --json
      edge plan gemma-3n --budget 1.5GB --stream --read-rate measure
    """
    _check(board, ram, measured=measured)
    ram_bytes = None if ram is None else parse_bytes(ram)
    rate = _rate(read_rate, bundle)
    make = partial(plan_for, bundle, board=board, ram_bytes=ram_bytes, read_rate_bytes_per_s=rate, **settings)
    found = make()
    if measured:
        _measure(found, threads=settings["threads"])
        found = make()
    click.echo(json.dumps(found.as_json(), indent=2) if as_json else str(found))


def _check(board: str | None, ram: str | None, *, measured: bool) -> None:
    """Refuse options that say nothing together."""
    if ram is not None and board is None:
        raise click.UsageError("--ram says nothing without --board; --budget says how much may be taken here.")
    if measured and board is not None:
        raise click.UsageError("--measure looks at this machine; --board plans for another.")


def _measure(plan: Plan, threads: int | None) -> None:
    """Measure what a plan chose, as it would run it; and how many threads are best, where that is left open."""
    cache = WeightCache.usual()
    with open_bundle(plan.path) as bundle:
        found = None
        if threads is None and cache is not None and plan.engine == "litert" and bundle.has(DECODER):
            found = measure_threads(bundle, cache)
        measure(
            bundle,
            engine=plan.engine,
            threads=found.threads if found else plan.threads,
            weight_cache=cache,
            weight_cached=plan.weight_cache,
        )


def _rate(said: str | None, bundle: str) -> int | None:
    """Read what was said of the flash, or measure it on the bundle itself."""
    if said == "measure":
        return measure_read_rate(variant_files(bundle)[0])
    return None if said is None else parse_bytes(said)
