"""Convert the trained encoder and centre head to TensorFlow Lite, float and static INT8.

    python models/smear/export_vision.py --data FOLDER

Reads ``build/smear/vision.pt``; writes ``encoder_float.tflite``, ``encoder_int8.tflite``,
``cells_float.tflite`` and ``cells_int8.tflite`` beside it, and ``vision.json`` with the
thresholds and radii chosen on the held-out tenth of the training pictures.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, cast

import litert_torch
import numpy as np
import torch
from ai_edge_quantizer import algorithm_manager, qtyping, quantizer, recipe
from choose import choose_rule
from data import CLASSES, SIDE_PX, default_data, generate_stranger, read_folder, read_strangers, split
from eyes import open_eyes
from numpy.typing import NDArray
from target import Views
from torch import Tensor, nn
from vision import FEATURES, GRID, Encoder, Head, load_vision

_CALIBRATION = 160
_ENCODER, _HEAD = "vision_encoder", "cells"
PARTS = ("encoder", "cells")


class ExportedEncoder(nn.Module):
    """The encoder as LiteRT-LM wants it: ``images (1, 288, 288, 3)`` to ``features (1, 1296, 64)``."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.encoder(images.permute(0, 3, 1, 2))
        return {"features": features.permute(0, 2, 3, 1).reshape(1, -1, FEATURES)}


class ExportedHead(nn.Module):
    """The head: ``features (1, 1296, 64)`` to ``scores (1, 72, 72, 3)`` and ``sizes (1, 72, 72, 2)``."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        maps = self.head(features.reshape(1, GRID, GRID, FEATURES).permute(0, 3, 1, 2))
        maps = torch.sigmoid(maps).permute(0, 2, 3, 1)
        return {"scores": maps[..., :3], "sizes": maps[..., 3:]}


def export_float(checkpoint: Path, encoder: Path, head: Path) -> None:
    """Write the float models, batch normalisation folded into the convolutions."""
    model = load_vision(checkpoint)
    images = {"images": torch.rand(1, SIDE_PX, SIDE_PX, 3)}
    features = {"features": torch.rand(1, GRID * GRID, FEATURES)}
    for name, module, sample, path in (
        (_ENCODER, ExportedEncoder(model.encoder), images, encoder),
        (_HEAD, ExportedHead(model.head), features, head),
    ):
        litert_torch.signature(name, module.eval(), sample_kwargs=sample).convert().export(str(path))


def calibration_pixels(data: Path, seed: int = 3) -> list[NDArray[np.float32]]:
    """Give augmented views and plain pictures to measure ranges on, ``(1, 288, 288, 3)`` each, 0 to 1."""
    views = Views(data, 10**6, seed)
    stack = [views[i]["pixels"].transpose(1, 2, 0) for i in range(_CALIBRATION // 2)]
    plain = split(read_folder(data / "smear" / "train", SIDE_PX))[0]
    stack += [p.pixels for p in plain[:: len(plain) * 2 // _CALIBRATION]]
    rng = np.random.default_rng(seed)
    stack += [*read_strangers(data, limit=6), *(generate_stranger(rng) for _ in range(4))]
    return [s[None].astype(np.float32) / 255 for s in stack]


def make_int8(
    source: Path,
    target: Path,
    signature: str,
    samples: list[dict[str, Any]],
    real: tuple[qtyping.TFLOperationName, ...],
) -> None:
    """Quantize weights per channel and activations by the ranges that samples show; ends in ``real`` stay floats."""
    tool = quantizer.Quantizer(str(source))
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    for end in real:
        tool.update_quantization_recipe(".*", end, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE)
    ranges = tool.calibrate({signature: samples})
    for name, value in ranges.items():
        if name.endswith("_images"):
            # Scale 1/255: every 8-bit pixel value is kept as it is.
            value["min"], value["max"] = np.zeros_like(value["min"]), np.ones_like(value["max"])
    cast(quantizer.QuantizationResult, tool.quantize(ranges)).export_model(str(target), overwrite=True)


def export(data: Path, folder: Path) -> None:
    """Write all four models and the rule to find cells by."""
    paths = {f"{part}_{kind}": folder / f"{part}_{kind}.tflite" for part in PARTS for kind in ("float", "int8")}
    export_float(folder / "vision.pt", paths["encoder_float"], paths["cells_float"])
    pixels = calibration_pixels(data)
    given, made = qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT
    make_int8(paths["encoder_float"], paths["encoder_int8"], _ENCODER, [{"images": p} for p in pixels], (given, made))
    with open_eyes(paths["encoder_float"], paths["cells_float"]) as eyes:
        features = [{"features": eyes.features(p).copy()} for p in pixels]
    # The maps stay as they are, in 8 bits: a quarter of the bytes to search.
    make_int8(paths["cells_float"], paths["cells_int8"], _HEAD, features, (given,))
    pictures = split(read_folder(data / "smear" / "train", SIDE_PX))[1]
    with open_eyes(paths["encoder_int8"], paths["cells_int8"]) as eyes:
        maps = [eyes.maps(p.pixels) for p in pictures]
    rule, best = choose_rule(maps, [p.boxes for p in pictures])
    card = {
        "classes": list(CLASSES),
        "thresholds": list(rule.thresholds),
        "radii": list(rule.radii),
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
    }
    (folder / "vision.json").write_text(json.dumps(card, indent=1) + "\n")
    print(f"held-out worth {[round(b, 3) for b in best]}, thresholds {rule.thresholds}, radii {rule.radii}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--build", type=Path, default=Path(__file__).resolve().parents[2] / "build" / "smear")
    options = parser.parse_args()
    export(options.data, options.build)
