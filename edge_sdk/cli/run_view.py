"""How ``edge run`` shows what happens: lines in plain words with a live line of readings, or lines of JSON."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections import deque

import click

from edge_sdk.cli.text import coloured, plain
from edge_sdk.sensors.record import ACTION, ANSWER, EVENT, NOTE, PROBLEM, READING, Record
from edge_sdk.sensors.trigger import REARMED

__all__ = ["JsonView", "PlainView", "sparkline"]

_CLEAR = "\r\x1b[K"  # Source: ECMA-48, EL
_BLOCKS = "▁▂▃▄▅▆▇█"
_KEPT = 24
_COLOURS = {EVENT: "yellow", ACTION: "cyan", ANSWER: "green", PROBLEM: "red", NOTE: None, READING: None}


class JsonView:
    """One line of JSON for each record; for programs."""

    def show(self, record: Record) -> None:
        """Print a record."""
        click.echo(json.dumps(record.as_dict(), ensure_ascii=False))
        sys.stdout.flush()

    def close(self) -> None:
        """End."""


class PlainView:
    """Lines in plain words; on a terminal the readings are one line that stays at the bottom, each with its course.

    Parameters
    ----------
    begin_s : float
        The time that lines count from.
    live : bool
        Whether somebody looks at a terminal.
    blocks : bool
        Whether the output can show the course's blocks.
    """

    def __init__(self, begin_s: float, *, live: bool, blocks: bool) -> None:
        self._begin_s, self._live, self._blocks = begin_s, live, blocks
        self._courses: dict[str, deque[float]] = {}
        self._bottom = ""
        self._lock = threading.Lock()  # answers come from another thread

    def show(self, record: Record) -> None:
        """Show a record."""
        with self._lock:
            if record.kind == READING:
                self._show_readings(record)
                return
            if record.data.get("event") == REARMED:  # of no use to who looks on; the log has it
                return
            text = coloured(plain(record.text), _COLOURS[record.kind])
            click.echo(f"{_CLEAR if self._live else ''}{self._time(record)}  {text}")
            if self._live:
                click.echo(self._bottom, nl=False)
            sys.stdout.flush()

    def close(self) -> None:
        """Leave the live line standing."""
        if self._live and self._bottom:
            click.echo()

    def _show_readings(self, record: Record) -> None:
        parts = [self._part(told) for told in record.data["readings"]]
        parts += [f"{name} unknown" for name in record.data["missing"]]
        self._bottom = plain(f"{self._time(record)}  {'   '.join(parts)}")  # a microcontroller names its sensors itself
        if self._live:  # a line that wraps could not be written over
            self._bottom = self._bottom[: shutil.get_terminal_size().columns - 1]
        click.echo(f"{_CLEAR}{self._bottom}" if self._live else self._bottom, nl=not self._live)
        sys.stdout.flush()

    def _part(self, told: dict[str, object]) -> str:
        name, value = str(told["sensor"]), float(str(told["value"]))
        course = self._courses.setdefault(name, deque(maxlen=_KEPT))
        course.append(value)
        drawn = f" {sparkline(course)}" if self._blocks and len(course) > 1 else ""
        return f"{name} {value:g} {told['unit']}".rstrip() + drawn

    def _time(self, record: Record) -> str:
        return f"{max(record.time_s - self._begin_s, 0.0):6.1f} s"


def sparkline(values: deque[float]) -> str:
    """Draw values as blocks, the least as the lowest; what changes by less than a fiftieth (noise) stays low.

    Examples
    --------
    >>> sparkline(deque([20.0, 21.0, 24.0])), sparkline(deque([22.0, 22.03])), sparkline(deque([0.0, 0.0]))
    ('▁▂█', '▁▁', '▁▁')
    """
    least, most = min(values), max(values)
    span = max(most - least, abs(most) / 50) or 1.0
    return "".join(_BLOCKS[int((value - least) / span * (len(_BLOCKS) - 1))] for value in values)
