"""``edge count``: how many cells of each class, for one picture or a thousand."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import click

from edge_sdk.cli.option import budget_option, bundle_option, check_overlay, engine_options
from edge_sdk.errors import FrameError
from edge_sdk.frame import Frame
from edge_sdk.pipeline import Count, VisionLanguageModel, load
from edge_sdk.pipeline.overlay import draw
from edge_sdk.sources import PICTURE_SUFFIXES

__all__ = ["count"]


@click.command(no_args_is_help=True)
@click.argument("paths", nargs=-1, required=True)
@bundle_option
@click.option("--csv", "form", flag_value="csv", help="One row a picture, as CSV.")
@click.option("--json", "form", flag_value="json", help="One JSON array, with every cell's place and score.")
@click.option(
    "--overlay",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the pictures, cells marked.",
)
@budget_option
@engine_options
def count(
    paths: tuple[str, ...],
    bundle: str,
    form: str | None,
    overlay: Path | None,
    budget: str | None,
    engine: str,
    threads: int | None,
) -> None:
    """Count the cells in pictures; folders are searched for pictures.

    --overlay writes every picture into DIR with each counted cell marked. A picture that cannot be read is
    told on standard error, the others are counted all the same, and the command exits with 1.

    \b
    Examples:
      edge count photo.jpg
      edge count slides/ --csv > counts.csv
      edge count a.jpg b.jpg --json --overlay marked/
    """
    pictures = list(_pictures(paths))
    overlays = _overlays(pictures, overlay)
    if overlay is not None:
        overlay.mkdir(parents=True, exist_ok=True)
    model = load(bundle, budget=budget, task="count", engine=engine, threads=threads)
    with model, _progress(len(pictures)) as progress:
        failed = _count_all(model, list(zip(pictures, overlays, strict=True)), form, progress)
    if failed:
        click.echo(f"edge: {failed} of {len(pictures)} pictures could not be counted.", err=True)
        sys.exit(1)


def _count_all(
    model: VisionLanguageModel, pictures: list[tuple[Path, Path | None]], form: str | None, progress: Any
) -> int:
    """Count, write and mark; give the number of pictures that could not be read."""
    failed = 0
    writer = _WRITERS[form](model.labels)
    try:
        for picture, marked in pictures:
            try:
                result = _count_one(model, picture, marked)
            except FrameError as error:
                failed += 1
                click.echo(f"edge: {error}", err=True)
            else:
                writer.write(result)
            if progress is not None:
                progress.update(1)
    finally:
        writer.close()
    return failed


def _count_one(model: VisionLanguageModel, picture: Path, overlay: Path | None) -> Count:
    frame = Frame.open(picture)
    result = model.count(frame)
    if overlay is not None:
        draw(frame, result).save(overlay)
    return result


def _overlays(pictures: list[Path], folder: Path | None) -> list[Path | None]:
    """Give each picture a file of its own to be marked in: folders may hold pictures of the same name."""
    if folder is None:
        return [None] * len(pictures)
    marked: dict[Path, None] = {}
    for picture in pictures:
        names = itertools.chain([picture.stem], (f"{picture.stem}-{number}" for number in itertools.count(2)))
        target = next(path for name in names if (path := folder / f"{name}.png") not in marked)
        check_overlay(target, [other for other in pictures if other.name == target.name])
        marked[target] = None
    return list(marked)


def _pictures(paths: tuple[str, ...]) -> Iterator[Path]:
    for name in paths:
        path = Path(name)
        if not path.is_dir():
            yield path
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
        if not inside:
            raise FrameError(f"No pictures in {path}.", fix=f"Known kinds: {', '.join(sorted(PICTURE_SUFFIXES))}.")
        yield from inside


def _progress(total: int) -> Any:  # click's progress bar has no public type
    if total < 2 or not sys.stderr.isatty():
        return nullcontext(None)
    return click.progressbar(length=total, label="Counting", file=sys.stderr)


class _Writer(Protocol):
    def write(self, result: Count) -> None: ...

    def close(self) -> None: ...


class _Table:
    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels = labels
        click.echo("".join(f"{label:>10}" for label in labels) + "  picture")

    def write(self, result: Count) -> None:
        click.echo("".join(f"{result.totals[label]:>10}" for label in self._labels) + f"  {result.source}")

    def close(self) -> None:
        return


class _Csv:
    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels = labels
        self._rows = csv.writer(sys.stdout, lineterminator="\n")
        self._rows.writerow(["picture", *labels])

    def write(self, result: Count) -> None:
        self._rows.writerow([result.source, *(result.totals[label] for label in self._labels)])

    def close(self) -> None:
        return


class _Json:
    """An array that is written as it grows: a thousand pictures need the memory of one."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._before = "["

    def write(self, result: Count) -> None:
        click.echo(self._before + json.dumps(result.as_dict()), nl=False)
        self._before = ",\n "

    def close(self) -> None:
        click.echo("]" if self._before != "[" else "[]")


_WRITERS: dict[str | None, Callable[[tuple[str, ...]], _Writer]] = {
    None: _Table,
    "csv": _Csv,
    "json": _Json,
}
