"""``edge bridge read``: values now, or one reading after the other with the gaps between them."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click

from boards import EdgeError
from edge_sdk.cli.bridge.address import Addressed, json_option, port_option, seconds
from edge_sdk.cli.bridge.pins import open_sensors, pins_option
from edge_sdk.cli.text import plain, rows
from edge_sdk.sensors.side import Side
from firmware_bridge.bridge import open_bridge
from firmware_bridge.error import BridgeClosed, BridgeError, BridgeTimeout, Restarted, UnknownName
from firmware_bridge.reading import Reading

__all__ = ["read"]

_NOTHING = "There is nothing to read."
_TRIES, _AGAIN_S = 4, 0.5  # until a sensor that does not answer is told
# Written over, not cleared: a serial console would flicker. Source: ECMA-48, CUP, EL and ED.
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


@click.command(cls=Addressed)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@port_option
@pins_option
@click.option("--watch", is_flag=True, help="One reading after the other, until Ctrl-C.")
@click.option(
    "--period", "period_s", type=seconds(), metavar="TIME", help="With --watch: from one to the next, such as 500ms."
)
@click.option("--count", "most", type=click.IntRange(1), help="With --watch: end after so many.")
@json_option
def read(
    names: tuple[str, ...],
    address: str,
    pins: Path | None,
    watch: bool,
    period_s: float | None,
    most: int | None,
    as_json: bool,
) -> None:
    """Read sensors; of an output tell what it is set to, of an axis where it is. Without a NAME, all.

    Each reading has the time at which the microcontroller took it, and how far off that may be. With --watch it
    samples by itself; readings that were lost on the way are told as a gap. On a terminal a table is kept up to
    date, else there is a line for each reading.

    With --pins the sensors on the board's own pins are read, while other processes have theirs. No output is touched.

    Exits with 1 where one of the names could not be read.

    \b
    Examples:
      edge bridge read
      edge bridge read temperature humidity sim://incubator
      edge bridge read temperature --watch --period 500ms
      edge bridge read --watch --json > day.jsonl
      edge bridge read temperature --pins pins.json
    """
    if not watch and (period_s or most):
        raise click.UsageError("--period and --count are for --watch.")
    if places := [name for name in names if name.startswith("/")]:
        raise click.UsageError(f"{places[0]} is an address: give it as --port {places[0]}")
    with open_sensors(pins, address, names) if pins else open_bridge(address) as bridge:
        if not watch:
            sys.exit(_once(bridge, names or _all(bridge), as_json))
        wanted = names or tuple(bridge.dictionary.sensors)
        if not wanted:
            click.echo(_NOTHING, err=as_json)
            return
        for name in wanted:
            bridge.sensor(name)  # raises for one that is none, before anything is sampled
        show = _Json() if as_json else _Table(str(pins or address)) if sys.stdout.isatty() else _Lines()
        for reading in islice(_stream(bridge, wanted, period_s), most):
            show(reading)


def _all(bridge: Side) -> tuple[str, ...]:
    offers = bridge.dictionary
    return (*offers.sensors, *offers.outputs, *offers.axes)


def _once(bridge: Side, names: tuple[str, ...], as_json: bool) -> int:
    told, failed = [], 0
    for name in names:
        try:
            told.append(_value(bridge, name))
        except UnknownName:
            raise
        except BridgeError as error:
            failed = 1
            told.append({"name": name, "value": None, "error": error.what, "why": error.why})
    if as_json:
        click.echo(json.dumps(told[0] if len(told) == 1 else told, indent=2))
    else:
        click.echo("\n".join(rows([_row(each) for each in told])) if told else _NOTHING)
    return failed


def _value(bridge: Side, name: str) -> dict[str, Any]:
    """Give a value with its kind, as plain values."""
    offers = bridge.dictionary
    if name in offers.outputs:
        output = bridge.output(name)
        return {"name": name, "kind": "output", "value": output.value, "unit": output.entry.unit,
                "safe": output.entry.safe}  # fmt: skip
    if name in offers.axes:
        return {"name": name, "kind": "axis", "value": bridge.axis(name).position_um, "unit": "um"}
    return {"kind": "sensor", **_as_json(bridge.sensor(name).read())}


def _row(told: dict[str, Any]) -> tuple[str, str, str]:
    if "error" in told:
        return told["name"], "?", f"{told['error']} {told['why'] or ''}"
    if told["kind"] == "sensor":
        return told["name"], _with_unit(told), f"at {_clock(told['time'])}, give or take {_ms(told['uncertainty_s'])}"
    if told["kind"] == "axis":
        known = told["value"] is not None
        return told["name"], _with_unit(told) if known else "?", "" if known else "position unknown: home it"
    return told["name"], _with_unit(told), "its safe value" if told["value"] == told["safe"] else "set"


def _with_unit(told: dict[str, Any]) -> str:
    value = told["value"]
    return f"{value:g} {told['unit']}".rstrip() if isinstance(value, (int, float)) else str(value)


def _as_json(reading: Reading) -> dict[str, Any]:
    return {
        "name": reading.name,
        "value": reading.value,
        "unit": reading.unit,
        "time": time.time() - (time.monotonic() - reading.time_s),
        "uncertainty_s": reading.uncertainty_s,
        "missed": reading.missed,
    }


def _stream(bridge: Side, names: tuple[str, ...], period_s: float | None) -> Iterator[Reading]:
    """Give the readings of several sensors as they come; each has a thread that ends when the bridge is closed.

    A microcontroller that is gone is told, and waited for: after it at least one reading counts as lost.
    """
    came: queue.SimpleQueue[Reading | EdgeError] = queue.SimpleQueue()

    def follow(name: str) -> None:
        _tell_silence(bridge, name)
        lost = 0
        while True:
            try:
                for reading in bridge.sensor(name).stream(period_s):
                    came.put(replace(reading, missed=reading.missed + lost) if lost else reading)
                    lost = 0
            except (BridgeTimeout, Restarted) as error:  # it may come back; what was taken meanwhile is lost
                click.echo(f"edge: {name}: {error}", err=True)
                lost = 1
            except EdgeError as error:
                came.put(error)
                return

    for name in names:
        threading.Thread(target=follow, args=(name,), name=f"reading {name}", daemon=True).start()
    while True:
        each = came.get()
        if isinstance(each, EdgeError):
            raise each
        yield each


def _tell_silence(bridge: Side, name: str) -> None:
    """Tell of a sensor that does not answer: it is no reading, and without a word nothing would be seen at all."""
    for left in reversed(range(_TRIES)):  # some measure for a while first
        try:
            bridge.sensor(name).read()
        except (BridgeTimeout, Restarted, BridgeClosed):  # of the line, and told by who follows
            return
        except BridgeError as error:
            if left:
                time.sleep(_AGAIN_S)
            else:
                click.echo(f"edge: {name}: {error}", err=True)
        else:
            return


class _Json:
    def __call__(self, reading: Reading) -> None:
        click.echo(json.dumps(_as_json(reading)))


class _Lines:
    """A line for each reading, with the gap before it where there is one."""

    def __call__(self, reading: Reading) -> None:
        told = _as_json(reading)
        if reading.missed:
            click.echo(f"{'':<12}  -- {reading.missed} lost before this one --")
        click.echo(f"{_clock(told['time'])}  {plain(str(reading))}")


class _Table:
    """The newest reading of each sensor, on a terminal."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._newest: dict[str, tuple[Reading, int, int]] = {}
        click.clear()

    def __call__(self, reading: Reading) -> None:
        _, count, lost = self._newest.get(reading.name, (reading, 0, 0))
        self._newest[reading.name] = reading, count + 1, lost + reading.missed
        table = [("sensor", "now", "at", "readings", "lost")]
        for name, (newest, count, lost) in sorted(self._newest.items()):
            told = _as_json(newest)
            table.append((name, _with_unit(told), _clock(told["time"]), str(count), str(lost)))
        text = "\n".join([plain(self._address), "", *rows(table), "", "Ctrl-C ends it."])
        lines = text.replace("\n", f"{_REST_OF_LINE}\n")
        click.echo(f"{_HOME}{lines}{_REST_OF_LINE}\n{_REST_OF_SCREEN}", nl=False)


def _clock(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
