"""``edge bridge monitor``: what goes over the line, both ways, in words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click

from edge_sdk.cli.bridge.address import address_argument, json_option, seconds
from edge_sdk.cli.text import coloured, plain
from firmware_bridge.link.recorder import read_record
from firmware_bridge.link.trace import Passed, Trace, passed
from firmware_bridge.port.port import Port, open_port, resolve
from firmware_bridge.port.relay import Relay
from firmware_bridge.session.probe import ASKING

__all__ = ["monitor"]

_ASK_S = 1.0
_SLICE_S = 0.1
_QUIET = 3  # looks without a byte after which a line without an end is shown
_COLOURS = {"text": "cyan", "dropped": "red"}


@click.command()
@address_argument
@click.option("--listen", is_flag=True, help="Send nothing; else it is asked once a second who it is.")
@click.option(
    "--file",
    "record",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Show a record that a bridge wrote instead.",
)
@click.option(
    "--relay",
    "number",
    type=click.IntRange(0, 65535),
    metavar="NUMBER",
    help="Hand the port on to a program of yours as socket://127.0.0.1:NUMBER; 0 takes one that is free.",
)
@click.option("--for", "for_s", type=seconds(), metavar="TIME", help="End after so long, in place of Ctrl-C.")
@json_option
def monitor(
    address: str, listen: bool, record: Path | None, number: int | None, for_s: float | None, as_json: bool
) -> None:
    """Show what goes over the line, both ways: messages in words, boot logs and prompts, and what is damaged.

    > is what is sent, < what comes; #7 is a request's number, = marks its answer. No session is opened, and nothing
    is set. A port belongs to one process: to see what a program of yours sends and gets, have it open the socket of
    --relay, or look at the record that it writes when a command's outcome becomes unknown; the error names the file.

    \b
    Examples:
      edge bridge monitor
      edge bridge monitor /dev/ttyACM0 --listen
      edge bridge monitor /dev/ttyACM0 --relay 7000
      edge bridge monitor --file ~/.local/state/edge/bridge/20260101-120000-412.frames
      edge bridge monitor sim://incubator?flip=0.2 --for 5s --json
    """
    if record is not None:
        cause, frames = read_record(record)
        seen = (passed(*frame) for frame in frames)
        if cause and not as_json:
            click.echo(f"Written because of: {plain(cause)}")
        _show(seen, as_json)
        return
    port = open_port(resolve(address))
    try:
        _show(_watch(port, listen, for_s) if number is None else _overhear(port, number, for_s), as_json)
    finally:
        port.close()


def _show(seen: Iterator[Passed], as_json: bool) -> None:
    """Write each thing as it comes, with the time since the first."""
    began_s: float | None = None
    for each in seen:
        began_s = each.time_s if began_s is None else began_s
        if as_json:
            click.echo(json.dumps(each.as_json()))
        else:
            line = f"{each.time_s - began_s:10.4f} {each.direction} {plain(str(each))}"
            click.echo(coloured(line, _COLOURS.get(each.kind)))


def _overhear(port: Port, number: int, for_s: float | None) -> Iterator[Passed]:
    """Hand the port on to a program, and give what passes."""
    traces = {way: Trace(way) for way in "<>"}
    end_s = float("inf") if for_s is None else time.monotonic() + for_s
    with closing(Relay(port, number)) as relay:
        click.echo(f"Open it as {relay.address}", err=True)
        while time.monotonic() < end_s:
            seen = relay.read(_SLICE_S)
            if seen is not None:
                time_s, way, data = seen
                yield from traces[way].feed(data, time_s)


def _watch(
    port: Port, listen: bool, for_s: float | None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Passed]:
    sent, came, quiet = Trace(">"), Trace("<"), 0
    now_s = ask_s = clock()
    end_s = float("inf") if for_s is None else now_s + for_s
    while now_s < end_s:
        if not listen and now_s >= ask_s:
            ask_s = now_s + _ASK_S
            yield from sent.feed(ASKING, now_s)
            port.write(ASKING)
        data = port.read(min(_SLICE_S, end_s - now_s))
        now_s = clock()
        quiet = 0 if data else quiet + 1
        yield from came.feed(data, now_s) if quiet != _QUIET else came.flush(now_s)
