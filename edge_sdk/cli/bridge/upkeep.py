"""``edge bridge configure`` and ``selftest``: to have a microcontroller as it should be."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from edge_sdk.cli.bridge.address import Addressed, address_argument, json_option, port_option
from edge_sdk.cli.text import coloured, plain
from firmware_bridge.bridge import open_bridge
from firmware_bridge.selftest import Result, run_selftest

__all__ = ["configure", "selftest"]

_file = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command(cls=Addressed)
@click.argument("file", type=_file)
@port_option
def configure(file: Path, address: str) -> None:
    """Send a configuration, which says what hangs on which pin; one that is wrong is refused, and the old one kept.

    \b
    Examples:
      edge bridge configure incubator.json
      edge bridge configure stage.json /dev/ttyACM0
    """
    with open_bridge(address) as bridge:
        hello = bridge.configure(file)
        offers = bridge.dictionary
    click.echo(f"{file.name} is in use, CRC {hello.configuration:08x}.")
    click.echo(f"It offers {', '.join((*offers.sensors, *offers.outputs, *offers.axes)) or 'nothing'}.")


@click.command()
@address_argument
@click.option("--output", metavar="NAME", help="Set this output for a second, to see it go safe without a lease.")
@json_option
def selftest(address: str, output: str | None, as_json: bool) -> None:
    """Try the link and what is behind it, in some seconds: what is wrong, and what to do about it.

    Round trips, 200 messages of every size, the clock, the sensors, stop, and a lease that is left to run out. All
    outputs go safe and all axes stop by that; nothing is set but what --output names.

    Exits with 1 where something failed.

    \b
    Examples:
      edge bridge selftest
      edge bridge selftest /dev/ttyACM0 --output lamp
      edge bridge selftest sim:// --json
    """
    results = []
    with open_bridge(address, allow=[output] if output else []) as bridge:
        if output:
            bridge.output(output)  # raises for one that is not there, before anything is tried
        for result in run_selftest(bridge, output=output):
            results.append(result)
            if not as_json:
                _tell(result)
    failed = [result.name for result in results if not result.passed]
    if as_json:
        click.echo(json.dumps({"passed": not failed, "results": [asdict(each) for each in results]}, indent=2))
    else:
        verdict = f"FAILED: {', '.join(failed)}." if failed else "Everything works."
        click.echo(f"\n{verdict}")
    sys.exit(1 if failed else 0)


def _tell(result: Result) -> None:
    word, colour = ("ok", "green") if result.passed else ("FAIL", "red")
    click.echo(f"{coloured(f'{word:<4}', colour)}  {result.name:<10}  {plain(result.what)}")
    if result.fix:
        click.echo(f"{'':<4}  {'':<10}  -> {plain(result.fix)}")
