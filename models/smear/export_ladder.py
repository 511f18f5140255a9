"""Make the bundle with a ladder of visual tokens: a grid of 144 places, which may be averaged to fewer.

    python models/smear/export_ladder.py

Reads what ``export.py`` left in ``build/smear``, and ``ladder.pt`` from ``build/smear-ladder``; writes
``smear-ladder.litertlm`` there. Its rungs are those that ``ladder.json`` beside this file keeps, with the accuracy that
``evaluate_ladder.py`` measured; without that file all that it was trained for.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import litert_torch
import torch
from ai_edge_quantizer import qtyping
from data import default_data
from export import about, measure_memory, measure_sections
from export_language import export_adapter, export_decoder, export_embedder, make_int8
from export_vision import ExportedEncoder, calibration_pixels
from export_vision import make_int8 as make_static_int8
from language import Perception, Shape
from pack import pack
from pixels import take_pixels
from place import PLACES, PlaceAdapter
from tokenizer import VOCABULARY
from train_ladder import WAYS, Reader
from vision import load_vision

_HERE = Path(__file__).resolve().parent
_BUILD = _HERE.parents[1] / "build"
FIGURES = _HERE / "ladder.json"
CACHE_LENGTHS = (256, 512)
# One run takes a frame of 144 tokens with a question, or one of 36; the short one what comes later.
PREFILL_LENGTHS = (16, 64, 176)
# A smaller picture, which the same encoder takes as it is: two thirds of the side, four ninths of the work.
SMALL_PX = 192
_STRIDE_PX = 8


def visual_ladder(figures: dict[str, Any] | None) -> dict[str, object]:
    """Say which numbers of visual tokens there are, the most first, and what was measured of each."""
    if figures is None:
        ways = {tokens: way for way, tokens, _ in reversed(WAYS) if way != "merge"}
        sizes = [(tokens, small) for tokens in sorted(ways, reverse=True) for small in ({}, {"input_px": SMALL_PX})]
        rungs, measured_on = [{"tokens": tokens, "way": ways[tokens], **small} for tokens, small in sizes], ""
    else:
        measured_on = figures["measured_on"]
        rungs = [
            {"tokens": row["tokens"], "way": row["way"], "accuracy_percent": round(100 * row["right"], 1)}
            | ({"input_px": row["input_px"]} if row["input_px"] else {})
            for row in figures["methods"]
            if row["kept"]
        ]
    return {"rows": PLACES, "columns": PLACES, "rungs": rungs, "measured_on": measured_on}


def convert(smear: Path, build: Path) -> None:
    """Convert the mapping network over places, the decoder and its embeddings, and make them INT8."""
    perception = Perception()
    perception.load_state_dict(torch.load(smear / "perception.pt", map_location="cpu", weights_only=True))
    reader = Reader()
    reader.load_state_dict(torch.load(build / "ladder.pt", map_location="cpu", weights_only=True)["reader"])
    reader.eval()
    export_adapter(PlaceAdapter(perception.eval(), reader.mapper), build / "adapter_float.tflite")
    export_decoder(reader.decoder, build / "decoder_float.tflite", PREFILL_LENGTHS, CACHE_LENGTHS)
    export_embedder(reader.decoder, build / "embedder_float.tflite")
    export_adapter(
        PlaceAdapter(perception, reader.mapper), build / "small_adapter_float.tflite", SMALL_PX // _STRIDE_PX
    )
    for name in ("adapter", "small_adapter", "decoder", "embedder"):
        make_int8(build / f"{name}_float.tflite", build / f"{name}_int8.tflite")


def convert_small_encoder(data: Path, smear: Path, build: Path) -> None:
    """Convert the encoder for the smaller picture, static INT8 like the large one."""
    inputs = {"images": torch.rand(1, SMALL_PX, SMALL_PX, 3)}
    encoder = ExportedEncoder(load_vision(smear / "vision.pt").encoder).eval()
    path = build / "small_encoder_float.tflite"
    litert_torch.signature("vision_encoder", encoder, sample_kwargs=inputs).convert().export(str(path))
    pixels = [cv2.resize(p[0], (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA) for p in calibration_pixels(data)]
    ends = (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT)
    samples = [{"images": p[None]} for p in pixels]
    make_static_int8(path, build / "small_encoder_int8.tflite", "vision_encoder", samples, ends)


def make_bundle(
    smear: Path,
    build: Path,
    target: Path,
    memory_bytes: int | None = None,
    measured: list[dict[str, Any]] | None = None,
) -> None:
    """Pack the eyes of ``smear`` with the tongue of ``build``."""
    models = {name: build / f"{name}_int8.tflite" for name in ("adapter", "embedder", "decoder")}
    models |= {"encoder": smear / "encoder_int8.tflite", "head": smear / "cells_int8.tflite"}
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else None
    card = about(json.loads((smear / "vision.json").read_text()), memory_bytes)
    card |= {"name": target.stem, "visual_tokens": PLACES * PLACES, "visual_ladder": visual_ladder(figures)}
    layers = Shape(VOCABULARY).layers
    small = {
        f"tf_lite_pixel_encoder_{SMALL_PX}": take_pixels((build / "small_encoder_int8.tflite").read_bytes()),
        f"tf_lite_vision_adapter_{SMALL_PX}": (build / "small_adapter_int8.tflite").read_bytes(),
    }
    pack(models, smear / "tokenizer.model", layers, card, target, measured or [], max(CACHE_LENGTHS), small)


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--smear", type=Path, default=_BUILD / "smear")
    parser.add_argument("--build", type=Path, default=_BUILD / "smear-ladder")
    parser.add_argument("--target", type=Path, default=_BUILD / "smear-ladder" / "smear-ladder.litertlm")
    parser.add_argument("--keep-encoder", action="store_true", help="take the converted small encoder as it is")
    parser.add_argument("--keep-models", action="store_true", help="take all converted models as they are")
    args = parser.parse_args()
    if not args.keep_models:
        if not args.keep_encoder:
            convert_small_encoder(args.data, args.smear, args.build)
        convert(args.smear, args.build)
    make_bundle(args.smear, args.build, args.target)
    memory_bytes, sections = measure_memory(args.target), measure_sections(args.target)
    make_bundle(args.smear, args.build, args.target, memory_bytes, sections)
    print(f"{args.target}: {args.target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
