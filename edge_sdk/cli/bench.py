"""``edge bench``: how fast a bundle is on this machine, beside what the machine could do at most."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click

from edge_sdk.bench import (
    TURNS,
    Bench,
    Report,
    check_alike,
    check_place,
    compare,
    comparison_text,
    read_report,
    report_text,
    write_report,
)
from edge_sdk.cli.option import budget_option, engine_options

__all__ = ["bench"]


@click.command()
@click.argument("bundle", default="smear", metavar="[BUNDLE|FILE]")
@click.option("--turns", type=click.IntRange(1, 1000), default=TURNS, show_default=True, help="How often.")
@click.option("--short", is_flag=True, help="One turn, little of everything: to see that it runs.")
@click.option("--camera", default="", metavar="URI", help="Also measure frames a second of this camera.")
@click.option(
    "--json",
    "target",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Write JSON to a file; without one print it instead of the table.",
)
@click.option(
    "--against",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Compare with an earlier run's JSON.",
)
@click.option(
    "--fail-below", type=click.FloatRange(0, min_open=True), metavar="RATIO", help="Exit 1 if worse than this."
)
@click.option("--anyway", is_flag=True, help="Compare although bundle, board or settings differ.")
@budget_option
@engine_options
def bench(
    bundle: str,
    target: str | None,
    against: Path | None,
    fail_below: float | None,
    anyway: bool,
    **settings: Any,
) -> None:
    """Measure how fast a BUNDLE loads, sees, reads and answers on this machine; smear without a name.

    Measured beside it, in the same turns, is what the machine could do at most: how fast it reads memory and
    multiplies INT8 matrices. Bars show each result's share of that. Nothing is left on the disk. Ctrl-C prints what
    there is so far.

    With --against every measure is told as a ratio, above 1 for better; those whose turns all lie apart from the
    earlier ones differ by more than noise. --fail-below 0.9 exits with 1 where one of these is below 0.9.

    \b
    Examples:
      edge bench smear --camera /dev/video0
      edge bench smear --json before.json
      edge bench smear --against before.json --fail-below 0.9
      edge bench my-model.litertlm --turns 3 --threads 4 --budget 1GB
    """
    _check(target, against, fail_below, anyway=anyway)
    old = read_report(against) if against is not None else None
    measuring = Bench(bundle, **settings)
    if old is not None and not anyway:
        check_alike(old, measuring.report)  # before minutes of measuring
    try:
        with _interrupted_by_all(), _progress(measuring) as tell, closing(measuring.steps()) as steps:
            for step in steps:
                tell(step)
    except KeyboardInterrupt:
        _show(measuring.report, "-" if target == "-" else None)
        raise
    report = measuring.report
    _show(report, target)
    if old is not None:
        _compare(old, report, fail_below, anyway=anyway, err=target == "-")


def _check(target: str | None, against: Path | None, fail_below: float | None, *, anyway: bool) -> None:
    """Refuse options that say nothing together, and places that cannot be written to."""
    if against is None and (fail_below is not None or anyway):
        raise click.UsageError("--fail-below and --anyway say nothing without --against FILE.")
    if target not in (None, "-"):
        if Path(str(target)).suffix != ".json":
            raise click.UsageError(f"{target} is no name for a report: end it with .json, or put --json last.")
        check_place(str(target))


def _compare(old: Report, new: Report, fail_below: float | None, *, anyway: bool, err: bool) -> None:
    """Print the comparison; end with 1 where something became worse than it may."""
    found = compare(old, new, anyway=anyway)
    click.echo(f"\n{comparison_text(found)}", err=err)
    failed = [each.new.label for each in found if fail_below is not None and each.fails(fail_below)]
    if failed:
        click.echo(f"edge: below {fail_below:g}: {'; '.join(failed)}.", err=True)
        sys.exit(1)


def _show(report: Report, target: str | None) -> None:
    if target == "-":
        click.echo(json.dumps(report.as_json(), indent=1))
        return
    click.echo(report_text(report))
    if target is not None:
        write_report(report, target)


@contextmanager
def _interrupted_by_all() -> Iterator[None]:
    """Have a closed terminal or a service's stop unwind as Ctrl-C does: packed weights of the cold load are to go."""
    interrupt = signal.getsignal(signal.SIGINT)
    # Not what is ignored: whoever starts it with nohup wants it to outlive the terminal.
    heeded = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(measuring: Bench) -> Iterator[Any]:
    """Give what tells of each step: on standard error, and only to someone who looks."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(
        length=measuring.count, label="Measuring", file=sys.stderr, item_show_func=lambda step: step
    ) as bar:
        yield lambda step: bar.update(1, step)
