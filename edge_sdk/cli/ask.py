"""``edge ask``: a question about frames, answered as it is decoded."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from edge_sdk.cli.option import (
    Region,
    budget_option,
    bundle_option,
    check_overlay,
    engine_options,
    region_option,
    show_timings,
)
from edge_sdk.errors import FrameError
from edge_sdk.frame import Frame
from edge_sdk.pipeline import Answer, VisionLanguageModel, load
from edge_sdk.pipeline.overlay import draw
from edge_sdk.sources import open_camera

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from edge_sdk.pipeline.settings import SettingsArguments

__all__ = ["ask"]

# Empty frames, all different, or they would not be looked at. The first, as nothing is known yet, opens the models for
# the fewest tokens; the second the others; the third is measured.
_GREYS = ((0, 1.0), (128, None), (255, None))


@click.command(no_args_is_help=True)
@click.argument("words", nargs=-1, required=True, metavar="[FRAME|CAMERA]... QUESTION")
@bundle_option
@click.option("--max-tokens", type=click.IntRange(1), help="Stop the answer after so many tokens.")
@click.option("--temperature", type=click.FloatRange(0), default=0.0, help="0 is greedy, the default.")
@click.option("--seed", type=int, help="Makes sampling repeatable.")
@click.option(
    "--visual-tokens", type=click.IntRange(1), help="How many tokens each frame gets, where the bundle offers it."
)
@click.option(
    "--deadline-ms",
    type=click.FloatRange(0, min_open=True),
    help="As many visual tokens as let the first word come in time, once the bundle is loaded.",
)
@region_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the text.")
@click.option(
    "--overlay",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT.png",
    help="Write the first frame, cells marked.",
)
@budget_option
@engine_options
def ask(
    words: tuple[str, ...],
    bundle: str,
    region: Region | None,
    as_json: bool,
    overlay: Path | None,
    budget: str | None,
    engine: str,
    threads: int | None,
    **settings: Unpack[SettingsArguments],
) -> None:
    """Ask a QUESTION about one or more frames, or about none.

    A frame is a picture file, or a camera such as /dev/video0 or sim://smear; - stands for a picture, or for
    the question, that comes through standard input. The answer alone goes to standard output. --overlay writes
    the first frame with every counted cell marked.

    \b
    Examples:
      edge ask photo.jpg "How many white blood cells are there?"
      edge ask /dev/video0 "Is the field crowded?" --json
      echo "Where are the white cells?" | edge ask photo.jpg -
      edge ask photo.jpg "Where are the white cells?" --deadline-ms 200
      edge ask photo.jpg "Is there a white cell?" --region 160,120,320,240
      edge ask "What can you do?"
    """
    uris, question = _told(words)
    frames = _frames(uris, overlay)
    task = "all" if overlay else "ask" if frames else "text"
    with load(bundle, budget=budget, task=task, engine=engine, threads=threads) as model:
        if overlay is not None:
            marked = draw(frames[0], model.count(frames[0], region=region))
        if settings["deadline_ms"] is not None and frames and model.visual_tokens:
            _practise(model, question, frames[0])
        answer = model.ask(question, frames, region=region, **settings)
        _print(answer, question, model, as_json)
        if overlay is not None:
            marked.save(overlay)
            click.echo(f"Marked cells: {overlay}", err=True)


def _told(words: tuple[str, ...]) -> tuple[list[str], str]:
    """Give the frames' addresses, and the question."""
    *uris, question = words
    if not uris and Path(question).is_file():
        raise click.UsageError(f"What about {question}? The question is missing.")
    return uris, sys.stdin.read().strip() if question == "-" else question


def _frames(uris: list[str], overlay: Path | None) -> list[Frame]:
    """Open the frames, once it is sure that the overlay has a place of its own."""
    if overlay is not None:
        if not uris:
            raise click.UsageError("--overlay needs a frame to draw on.")
        check_overlay(overlay, uris)
    return [_frame(uri) for uri in uris]


def _frame(uri: str) -> Frame:
    if uri == "-":
        return Frame.of(sys.stdin.buffer.read())
    if not uri:
        raise click.UsageError("A frame has no name.")
    if Path(uri).is_dir():
        raise FrameError(f"{uri} is a folder.", why="A question is about single frames.", fix="Name a picture in it.")
    with open_camera(uri) as camera:
        return camera.capture()


def _practise(model: VisionLanguageModel, question: str, frame: Frame) -> None:
    """Ask about empty frames, so that models are open and it is known how fast this machine is."""
    for grey, deadline_ms in _GREYS:
        empty = Frame.of(np.full_like(frame.pixels, grey))
        list(model.ask(question, empty, max_tokens=1, deadline_ms=deadline_ms))


def _print(answer: Answer, question: str, model: VisionLanguageModel, as_json: bool) -> None:
    if as_json:
        report: dict[str, object] = {
            "question": question,
            "answer": answer.text,
            "bundle": model.name,
            "finish": answer.finish,
        }
        if answer.rung is not None:
            report["visual_tokens"] = asdict(answer.rung)
        report |= {"frames": list(answer.frames), "seen": [seen.as_dict() for seen in answer.seen]}
        report |= {"timings": answer.timings.as_dict()}
        click.echo(json.dumps(report, ensure_ascii=False))
        return
    try:
        for piece in answer:
            sys.stdout.write(piece)
            sys.stdout.flush()
    finally:
        sys.stdout.write("\n")
    if answer.finish == "memory":
        click.echo("edge: The answer ends early: more would have gone over the memory budget.", err=True)
    show_timings(str(answer.timings))
