"""``edge watch``: heat, throttling, memory and the work of running processes, live."""

from __future__ import annotations

import json
import sys
import time

import click

from edge_sdk.doctor.watch import Look, Watch
from edge_sdk.units import parse_bytes

__all__ = ["watch"]

# Written over, not cleared: a serial console would flicker. Source: ECMA-48, CUP, EL and ED.
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


@click.command()
@click.option("--once", is_flag=True, help="Print how it is now, and end.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each look.")
@click.option(
    "--interval", "interval_s", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, help="Seconds."
)
@click.option("--pid", type=click.IntRange(1), help="Watch this process, rather than all that tell of their work.")
@click.option("--budget", metavar="AMOUNT", help="What it may take, such as 512MB, where it does not tell.")
def watch(once: bool, as_json: bool, interval_s: float, pid: int | None, budget: str | None) -> None:
    """Show temperatures, throttling, memory against the budget, frames and tokens a second; Ctrl-C ends it.

    Processes of this user that use the SDK tell of their work once a second, in a file in memory (in
    XDG_RUNTIME_DIR). Nothing is written to the card for it.

    \b
    Examples:
      edge watch
      edge watch --once
      edge watch --pid 1234 --budget 512MB
      edge watch --json --interval 10 > day.jsonl
    """
    budget_bytes = None if budget is None else parse_bytes(budget)
    if not once and not as_json and sys.stdout.isatty():
        click.clear()
    with Watch(pid=pid, budget_bytes=budget_bytes) as looker:
        while True:
            _show(looker.look(), as_json=as_json, still=once)
            if once:
                return
            time.sleep(interval_s)


def _show(look: Look, *, as_json: bool, still: bool) -> None:
    if as_json:
        click.echo(json.dumps(look.as_json()))
    elif still or not sys.stdout.isatty():
        click.echo(f"{look}{'' if still else chr(10)}")
    else:
        text = f"{look}\n\nCtrl-C ends it.\n".replace("\n", f"{_REST_OF_LINE}\n")
        click.echo(f"{_HOME}{text}{_REST_OF_SCREEN}", nl=False)
    sys.stdout.flush()
