"""Count with the float encoder on smaller inputs than it was trained for, as it is.

    python models/smear/smaller_input.py --data FOLDER

Reads ``vision.pt`` and ``vision.json`` from ``build/smear``; prints F1 by class and the time a picture takes, beside
that of the input it was trained for. Sides are multiples of 32, which the encoder's coarsest step needs.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from data import CLASSES, SIDE_PX, read_pixels
from evaluate import read_labelled
from metric import match, score
from vision import load_vision

from edge_sdk.pipeline.centre import CentreRule, find_centres

SIDES_PX = (SIDE_PX, 224, 192, 160)


def main() -> None:
    """Count from the command line."""
    build = Path(__file__).resolve().parents[2] / "build" / "smear"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--limit", type=int, help="only so many pictures, to try it")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, card = load_vision(build / "vision.pt"), json.loads((build / "vision.json").read_text())
    rule = CentreRule(tuple(card["thresholds"]), tuple(card["radii"]))
    pictures = read_labelled(args.data)[0][: args.limit]
    for side_px in SIDES_PX:
        tables, took_s = [], 0.0
        for picture in pictures:
            pixels = torch.from_numpy(read_pixels(picture.path, side_px)).permute(2, 0, 1)[None] / 255
            begin = time.perf_counter()
            with torch.no_grad():
                maps = torch.sigmoid(model.head(model.encoder(pixels)))[0].permute(1, 2, 0).contiguous().numpy()
            took_s += time.perf_counter() - begin
            tables.append(match(find_centres(maps[..., :3].copy(), maps[..., 3:].copy(), rule), picture.boxes))
        found = score(tables)
        told = ", ".join(f"{name} {found[name]['f1']:.3f}" for name in CLASSES)
        print(f"{side_px:4} px: F1 {told}; {took_s / len(pictures) * 1000:.0f} ms", flush=True)


if __name__ == "__main__":
    main()
