"""``edge run``: rules that watch sensors, set outputs and ask questions, as a service."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import click

import edge_sdk
from edge_sdk.cli.bridge.address import seconds
from edge_sdk.cli.run_view import JsonView, PlainView
from edge_sdk.sensors.asker import Asker, Opener
from edge_sdk.sensors.journal import LEAST_MB, Journal
from edge_sdk.sensors.record import ACTION, NOTE, Record
from edge_sdk.sensors.rule import Rules
from edge_sdk.sensors.rule_check import check_rules
from edge_sdk.sensors.rule_file import read_rules
from edge_sdk.sensors.scribe import Scribe
from edge_sdk.sensors.service import Service
from edge_sdk.sensors.side import Side, Sides
from firmware_bridge import open_bridge, open_pins

__all__ = ["run"]


@click.command(no_args_is_help=True)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="RULES.toml")
@click.option("--act", is_flag=True, help="Set outputs and move axes for real: those that [allow] names.")
@click.option("--bridge", "address", metavar="ADDRESS", help="The microcontroller, whatever the file says; or sim://.")
@click.option("--pins", metavar="FILE", help="The board's own pins that FILE describes, whatever the rules say.")
@click.option("--for", "for_s", type=seconds(), metavar="TIME", help="End after 20s, 5min or 2h; else on Ctrl-C.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Keep a journal there.")
@click.option("--log-mb", type=click.FloatRange(LEAST_MB), help="Its limit in MB; the oldest entries go first.")
@click.option("--no-ask", is_flag=True, help="Leave questions out: neither camera nor model is opened.")
@click.option("--check", is_flag=True, help="Check the file against what is there, and end.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each thing that happens.")
@click.option("--budget", metavar="AMOUNT", help="How much memory the model may take; else what EDGE_BUDGET says.")
def run(file: Path, address: str | None, pins: str | None, check: bool, act: bool, **wishes: Any) -> None:
    """Run a file of rules: watch sensors, and when a limit is passed or a time has come, set outputs or ask.

    Without --act it is a dry run: all is read, and what would be set is told. With it, only outputs and axes
    that the file's [allow] names can act, and all are safe again when it ends, or when it stands still.

    Sensors and outputs hang on a microcontroller, on the board's own pins, or on both, as the file says; with
    --bridge or --pins, or both of them, just there. Names and values are checked before anything starts. A
    microcontroller that goes away is waited for; a camera or a model that fails is told, and the rest goes on.

    \b
    Examples:
      edge run examples/incubator.toml --bridge sim:// --for 20s
      edge run examples/incubator.toml --bridge sim:// --act
      edge run rules.toml --pins pins.json --check
      edge run rules.toml --act --log /var/lib/edge/rules.db --log-mb 64
    """
    begin_s = time.monotonic()
    rules = read_rules(file)
    with ExitStack() as stack:
        places = _open(stack, rules, address, pins, act=act)
        sides = Sides(tuple(places.values()))
        check_rules(rules, sides.dictionary)
        if check:
            click.echo(f"{file}: {len(rules.rules)} rules, all of them can run on {' and '.join(places)}.")
        else:
            _serve(stack, rules, sides, tuple(places), begin_s=begin_s, act=act, **wishes)


def _open(stack: ExitStack, rules: Rules, address: str | None, pins: str | None, *, act: bool) -> dict[str, Side]:
    """Open what the rules work on, each by what it is called; ``sim://`` alone stands for what the file says of it.

    Pins come first, and so are read and made safe first: they keep nobody waiting, as a line may.
    """
    if not address and not pins:
        address, pins = rules.bridge, rules.pins
    allow, found = (*rules.outputs, *rules.axes), dict[str, Side]()
    if pins:
        found[f"the pins of {pins}"] = stack.enter_context(open_pins(pins, allow=allow, dry_run=not act))
    if address:
        place = rules.sim if address == "sim://" else address
        found[place] = stack.enter_context(open_bridge(place, allow=allow, dry_run=not act))
    return found


def _serve(
    stack: ExitStack,
    rules: Rules,
    sides: Sides,
    places: tuple[str, ...],
    *,
    begin_s: float,
    act: bool,
    for_s: float | None,
    log: Path | None,
    log_mb: float | None,
    no_ask: bool,
    as_json: bool,
    budget: str | None,
) -> None:
    """Run the service, and show what happens, until its time is over or it is stopped."""
    live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    view = JsonView() if as_json else PlainView(begin_s, live=live, blocks=_shows_blocks())
    stack.callback(view.close)
    acted: Counter[str] = Counter()
    tell = _teller(view.show, acted, _scribe(stack, rules, log, log_mb, view.show))
    asker = None if no_ask or not rules.asks else _asker(rules, sides, budget, tell)
    if asker is not None:
        asker.start()
    service = Service(rules, sides, tell, act=act, asker=asker)
    tell(Record(NOTE, begin_s, "rules", _greeting(rules, places, act=act), {"act": act, "on": places}))
    with _stopped_by_terminate(service):
        service.run(for_s)
    _tell_end(tell, acted, act=act)


def _teller(
    show: Callable[[Record], object], acted: Counter[str], write: Callable[[Record], object] | None
) -> Callable[[Record], None]:
    def tell(record: Record) -> None:
        if record.kind == ACTION:
            acted[record.name] += 1
        show(record)
        if write is not None:
            write(record)

    return tell


def _scribe(
    stack: ExitStack, rules: Rules, log: Path | None, log_mb: float | None, show: Callable[[Record], object]
) -> Callable[[Record], object] | None:
    """Open the journal, if there is to be one, and give what takes its records."""
    path = log or (Path(rules.log) if rules.log else None)
    if path is None:
        return None
    scribe = Scribe(Journal(path, most_mb=log_mb or rules.log_most_mb), show)
    scribe.start()
    stack.callback(scribe.close)
    return scribe.put


def _asker(rules: Rules, sides: Sides, budget: str | None, tell: Callable[[Record], object]) -> Asker:
    """Make what answers; numpy, camera and model are loaded by the first question."""

    def line(sensors: list[object], max_age_s: float) -> object:
        made = import_module("edge_sdk.pipeline").ReadingLine
        return made(sensors, max_age_s=max_age_s, stale="mark", overflow="leave out")

    camera = (lambda: edge_sdk.open_camera(rules.camera)) if rules.camera else None
    return Asker(Opener(lambda: edge_sdk.load(rules.bundle, budget=budget), camera, sides.sensor, line), tell)


def _greeting(rules: Rules, places: tuple[str, ...], *, act: bool) -> str:
    names = ", ".join((*rules.outputs, *rules.axes)) or "nothing"
    how = f"acting: {names} may act" if act else "dry run: nothing is set, only told; --act does it"
    title = f"{rules.title} - " if rules.title else ""
    return f"{title}{len(rules.rules)} rules on {' and '.join(places)}, {how}. Ctrl-C ends it."


def _tell_end(tell: Callable[[Record], None], acted: Counter[str], *, act: bool) -> None:
    counts = ", ".join(f"{name} {count}" for name, count in acted.items()) or "none"
    end = "all outputs are safe" if act else "nothing was set; --act does it"
    tell(Record(NOTE, time.monotonic(), "rules", f"Ended: actions {counts}; {end}."))


def _shows_blocks() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


@contextmanager
def _stopped_by_terminate(service: Service) -> Iterator[None]:
    """Have a service manager's stop, and a terminal that is closed, end it in order."""
    heeded = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: service.stop()) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
