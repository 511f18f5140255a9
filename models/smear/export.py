"""Make the shipped bundle from the trained networks: convert, quantize, fit, pack, measure.

    python models/smear/export.py --data FOLDER

Reads ``vision.pt``, ``language.pt`` and ``tokenizer.model`` from ``build/smear``; writes
``edge_sdk/data/smear.litertlm``, and into ``models/smear/float`` the float encoder and head, and ``origin.json``: which
bundle they belong to, and the thresholds and radii that suit them best.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import export_language
import export_vision
import question as q
import torch
from choose import choose_rule
from data import SIDE_PX, default_data, read_folder, split
from eyes import open_eyes
from language import VISUAL_TOKENS, Adapter, Shape
from pack import pack
from perceive import fit, make_perception
from tokenizer import VOCABULARY
from train_language import Speaker
from vision import CENTRES, load_vision

from edge_sdk.bundle import open_bundle, sha256
from edge_sdk.errors import EdgeError
from edge_sdk.memory.measurement import measure
from edge_sdk.pipeline.centre import CentreRule
from edge_sdk.runtime import ENGINES, WeightCache

_ROOT = Path(__file__).resolve().parents[2]
_BUNDLE = _ROOT / "edge_sdk" / "data" / "smear.litertlm"
_FLOAT = _ROOT / "models" / "smear" / "float"
_THREADS = (1, 2, 4)
_NOT_FOR = (
    "No medical device: not for diagnosis, treatment or any decision about a patient, and no replacement for a count "
    "by a trained person."
)
# Loads the bundle in a process of its own, asks it about a frame, and tells what that took at its most. The peak is
# read where an exec clears it: getrusage's would begin with that of the process that started this one.
# Source: proc_pid_status(5), VmHWM.
_MEASURE = """
import pathlib, sys
import numpy as np
import edge_sdk
def peak_bytes():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
before = peak_bytes()
frame = edge_sdk.Frame.of(np.full((288, 288, 3), 200, np.uint8))
with edge_sdk.load(sys.argv[1]) as model:
    "".join(model.ask("How many white blood cells are there?", frame))
    model.count(frame)
print(peak_bytes() - before)
"""


def about(card: dict[str, Any], memory_bytes: int | None) -> dict[str, object]:
    """Say what the project adds to the bundle.

    Parameters
    ----------
    card : dict
        ``classes``, and for each its ``thresholds`` and ``radii``; ``mean`` and ``std`` of the channels.
    memory_bytes : int or None
        What the bundle was measured to take; None before it was.
    """
    classes = [
        {"name": name, "label": q.LABELS[name][0], "plural": q.LABELS[name][1], "threshold": t, "radius_share": r}
        for name, t, r in zip(card["classes"], card["thresholds"], card["radii"], strict=True)
    ]
    size = {"width": SIDE_PX, "height": SIDE_PX, "resize": "stretch"}
    return {
        "format": 1,
        "name": "smear",
        "task": "count-and-answer",
        "input": {**size, "channels": "RGB", "mean": card["mean"], "std": card["std"]},
        "cells": {"classes": classes, "stride": SIDE_PX // CENTRES},
        "frames_per_question": 1,
        "visual_tokens": VISUAL_TOKENS,
        "crowding": {"sparse_below": q.SPARSE_BELOW, "crowded_from": q.CROWDED_FROM},
        "off_topic": q.OFF_TOPIC,
        "no_film": q.NO_FILM,
        "no_frame": q.NO_FRAME,
        "license": "Apache-2.0",
        "not_for": _NOT_FOR,
        "model_card": "edge_sdk/data/smear-model-card.md",
        **({} if memory_bytes is None else {"memory_bytes": memory_bytes}),
    }


def export_adapter_and_decoder(data: Path, build: Path) -> None:
    """Fit what the mapping network reads, then convert it and the decoder."""
    card = json.loads((build / "vision.json").read_text())
    rule = CentreRule(tuple(card["thresholds"]), tuple(card["radii"]))
    perception = make_perception(load_vision(build / "vision.pt"), rule)
    with open_eyes(build / "encoder_int8.tflite", build / "cells_int8.tflite") as eyes:
        fit(perception, eyes.features, data)
    torch.save(perception.state_dict(), build / "perception.pt")
    speaker = Speaker()
    speaker.load_state_dict(torch.load(build / "language.pt", map_location="cpu", weights_only=True)["speaker"])
    adapter = Adapter(perception, speaker.eval().mapper)
    export_language.export_adapter(adapter, build / "adapter_float.tflite")
    export_language.export_decoder(speaker.decoder, build / "decoder_float.tflite")
    export_language.export_embedder(speaker.decoder, build / "embedder_float.tflite")
    for name in ("adapter", "decoder", "embedder"):
        export_language.make_int8(build / f"{name}_float.tflite", build / f"{name}_int8.tflite")


def make_bundle(
    build: Path, target: Path, memory_bytes: int | None = None, measured: Sequence[dict[str, Any]] = ()
) -> None:
    """Pack what ``build`` holds."""
    models = {name: build / f"{name}_int8.tflite" for name in ("encoder", "adapter", "embedder", "decoder")}
    card = json.loads((build / "vision.json").read_text())
    models["head"] = build / "cells_int8.tflite"
    target.parent.mkdir(parents=True, exist_ok=True)
    layers = Shape(VOCABULARY).layers
    pack(models, build / "tokenizer.model", layers, about(card, memory_bytes), target, measured)


def measure_sections(bundle: Path) -> list[dict[str, Any]]:
    """Measure what each section takes in each engine, so that who plans on such a machine need not."""
    with open_bundle(bundle) as opened, tempfile.TemporaryDirectory() as scratch:
        cache = WeightCache(Path(scratch) / "weights")
        return [
            measure(opened, engine=engine, threads=threads, weight_cache=cache).as_json()
            for engine in ENGINES
            for threads in _THREADS
        ]


def measure_memory(bundle: Path) -> int:
    """Measure what loading the bundle, one answer and one count take at their most, in bytes.

    Raises
    ------
    EdgeError
        Nothing was measured: the peak did not rise.
    """
    command = [sys.executable, "-c", _MEASURE, str(bundle)]
    where = {**os.environ, "PYTHONPATH": str(_ROOT)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=where)
    memory_bytes = int(done.stdout)
    if memory_bytes <= 0:
        raise EdgeError(
            f"Loading {bundle} was measured to take {memory_bytes} bytes.",
            why="The process had taken more before, so that its peak says nothing about the bundle.",
            fix="Export in a process of its own, on Linux.",
        )
    return memory_bytes


def keep_float(data: Path, build: Path, bundle: Path) -> None:
    """Keep the float networks to compare the bundle with, which bundle that is, and the rule that suits them best."""
    _FLOAT.mkdir(exist_ok=True)
    for name in ("encoder_float", "cells_float"):
        shutil.copyfile(build / f"{name}.tflite", _FLOAT / f"{name}.tflite")
    pictures = split(read_folder(data / "smear" / "train", SIDE_PX))[1]
    with open_eyes(_FLOAT / "encoder_float.tflite", _FLOAT / "cells_float.tflite") as eyes:
        rule, _ = choose_rule([eyes.maps(p.pixels) for p in pictures], [p.boxes for p in pictures])
    made = {"bundle_sha256": sha256(bundle), "thresholds": rule.thresholds, "radii": rule.radii}
    (_FLOAT / "origin.json").write_text(json.dumps(made, indent=1) + "\n")


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--build", type=Path, default=_ROOT / "build" / "smear")
    parser.add_argument("--target", type=Path, default=_BUNDLE)
    parser.add_argument("--keep-vision", action="store_true", help="take the converted encoder and head as they are")
    args = parser.parse_args()
    if not args.keep_vision:
        export_vision.export(args.data, args.build)
    export_adapter_and_decoder(args.data, args.build)
    make_bundle(args.build, args.target)
    make_bundle(args.build, args.target, measure_memory(args.target), measure_sections(args.target))
    if args.target.resolve() == _BUNDLE:
        keep_float(args.data, args.build, _BUNDLE)
    print(f"{args.target}: {args.target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
