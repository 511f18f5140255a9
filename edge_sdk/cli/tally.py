"""How counts are written: as a table, as CSV, or as JSON; of pictures, and of a camera's frames by their numbers."""

from __future__ import annotations

import csv
import json
import sys
from typing import Protocol

import click

from edge_sdk.pipeline import Count

__all__ = ["WRITERS", "Writer"]


class Writer(Protocol):
    """Takes one count after the other."""

    def write(self, result: Count) -> None:
        """Write a count."""

    def close(self) -> None:
        """Write what stands at the end."""


class _Table:
    def __init__(self, labels: tuple[str, ...], *, live: bool) -> None:
        self._labels, self._live = labels, live
        click.echo("".join(f"{label:>10}" for label in labels) + ("  frame" if live else "  picture"))

    def write(self, result: Count) -> None:
        seen = result.seen
        name = f"{seen}{f', as {seen.encoded_sequence}' if seen.kept else ''}" if self._live else result.source
        click.echo("".join(f"{result.totals[label]:>10}" for label in self._labels) + f"  {name}")

    def close(self) -> None:
        return


class _Csv:
    def __init__(self, labels: tuple[str, ...], *, live: bool) -> None:
        self._labels, self._live = labels, live
        self._rows = csv.writer(sys.stdout, lineterminator="\n")
        self._rows.writerow([*(("camera", "frame", "time_s", "encoded_frame") if live else ("picture",)), *labels])

    def write(self, result: Count) -> None:
        seen = result.seen
        name = (seen.source, seen.sequence, f"{seen.time_s:.3f}", seen.encoded_sequence)
        self._rows.writerow([*(name if self._live else name[:1]), *(result.totals[label] for label in self._labels)])
        sys.stdout.flush()

    def close(self) -> None:
        return


class _Json:
    """An array that is written as it grows: a thousand pictures need the memory of one."""

    def __init__(self, labels: tuple[str, ...], *, live: bool) -> None:
        self._before = "["

    def write(self, result: Count) -> None:
        click.echo(self._before + json.dumps(result.as_dict()), nl=False)
        self._before = ",\n "

    def close(self) -> None:
        click.echo("]" if self._before != "[" else "[]")


class _NewWriter(Protocol):
    def __call__(self, labels: tuple[str, ...], *, live: bool) -> Writer: ...


WRITERS: dict[str | None, _NewWriter] = {None: _Table, "csv": _Csv, "json": _Json}
