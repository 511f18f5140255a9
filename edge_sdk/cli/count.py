"""``edge count``: how many cells of each class, for one picture or a thousand."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.option import Region, budget_option, bundle_option, check_overlay, engine_options, region_option
from edge_sdk.cli.tally import WRITERS
from edge_sdk.errors import FrameError
from edge_sdk.frame import Frame
from edge_sdk.pipeline import Count, VisionLanguageModel, load
from edge_sdk.pipeline.overlay import draw
from edge_sdk.sources import PICTURE_SUFFIXES, open_camera

__all__ = ["count"]


@click.command(no_args_is_help=True)
@click.argument("paths", nargs=-1)
@bundle_option
@click.option(
    "--camera", metavar="ADDRESS", help="Count a camera's newest frames in place of pictures; Ctrl-C ends it."
)
@click.option("--frames", type=click.IntRange(1), help="Of a camera: end after so many.")
@click.option("--gate", is_flag=True, help="Of a camera: do not encode again what shows nothing new.")
@region_option
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
    camera: str | None,
    frames: int | None,
    gate: bool,
    region: Region | None,
    form: str | None,
    overlay: Path | None,
    **loading: Any,
) -> None:
    """Count the cells in pictures, or in what a camera sees; folders are searched for pictures.

    --overlay writes every picture into DIR with each counted cell marked. A picture that cannot be read is
    told on standard error, the others are counted all the same, and the command exits with 1.

    With --gate a frame that differs from the last encoded one by no more than the sensor's noise gets that one's
    count; every row names its frame, and the one that was encoded.

    \b
    Examples:
      edge count photo.jpg
      edge count slides/ --csv > counts.csv
      edge count a.jpg b.jpg --json --overlay marked/
      edge count --camera /dev/video0 --gate --csv > day.csv
      edge count --camera sim://smear --frames 10 --region 0.25,0.25,0.5,0.5
    """
    if bool(paths) == bool(camera):
        raise click.UsageError("Name pictures, or a camera with --camera.")
    opened = partial(load, bundle, task="count", **loading)
    if camera is not None:
        if overlay is not None:
            raise click.UsageError("--overlay is for pictures, not for a camera.")
        with opened() as model:
            _count_camera(model, camera, frames, gate, region, form)
        return
    if gate or frames is not None:
        raise click.UsageError("--gate and --frames are for a camera: name one with --camera.")
    _count_pictures(opened, list(_pictures(paths)), region, form, overlay)


def _count_pictures(
    opened: Callable[[], VisionLanguageModel],
    pictures: list[Path],
    region: Region | None,
    form: str | None,
    overlay: Path | None,
) -> None:
    """Count them all, and exit with 1 where one could not be."""
    overlays = _overlays(pictures, overlay)
    if overlay is not None:
        overlay.mkdir(parents=True, exist_ok=True)
    with opened() as model, _progress(len(pictures)) as progress:
        failed = _count_all(model, list(zip(pictures, overlays, strict=True)), region, form, progress)
    if failed:
        click.echo(f"edge: {failed} of {len(pictures)} pictures could not be counted.", err=True)
        sys.exit(1)


def _count_all(
    model: VisionLanguageModel,
    pictures: list[tuple[Path, Path | None]],
    region: Region | None,
    form: str | None,
    progress: Any,
) -> int:
    """Count, write and mark; give the number of pictures that could not be read."""
    failed = 0
    writer = WRITERS[form](model.labels, live=False)
    try:
        for picture, marked in pictures:
            try:
                result = _count_one(model, picture, region, marked)
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


def _count_camera(
    model: VisionLanguageModel, address: str, frames: int | None, gate: bool, region: Region | None, form: str | None
) -> None:
    """Count and write what a camera sees, until it has no more, there were enough, or Ctrl-C."""
    with open_camera(address) as camera:
        writer = WRITERS[form](model.labels, live=True)
        try:
            for result in itertools.islice(model.watch(camera, region=region, gate=gate), frames):
                writer.write(result)
        finally:
            writer.close()


def _count_one(model: VisionLanguageModel, picture: Path, region: Region | None, overlay: Path | None) -> Count:
    frame = Frame.open(picture)
    result = model.count(frame, region=region)
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
