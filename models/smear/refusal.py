"""Show the bundle pictures that are no blood film, none of which it trained on, and count refusals.

    python models/smear/refusal.py --json OUT

Photographs and patterns drawn here, of kinds that were in no training; clothing and digits, which are the test parts of
sets that it trained on; one question each. Real films from another laboratory are shown as well: they should not be
refused. JSON: the shares refused and the numbers shown, and the bundle's SHA-256.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from answer_score import is_refused, questions_for
from data import SIDE_PX, Pixels, default_data, read_digits, read_other_films, read_pixels
from numpy.typing import NDArray

import edge_sdk
from edge_sdk.bundle import find_bundle, sha256

_SEED = 11
_EACH = 120
_PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
# Among the photographs lie a handwritten digit, which is no new kind, and drawings of outlines.
_NO_PHOTO = ("mnist", "_mask", "_golden")

Stranger = tuple[str, str, Pixels]
Shares = dict[str, dict[str, float]]


def strangers(data: Path) -> Iterator[Stranger]:
    """Give kind, name and RGB pixels ``(288, 288, 3)`` of each picture."""
    photos = sorted(p for p in (data.parent / "photos").iterdir() if p.suffix.lower() in _PHOTO_SUFFIXES)
    for path in (p for p in photos if not any(part in p.name for part in _NO_PHOTO)):
        yield "photographs", path.name, read_pixels(path, SIDE_PX)
    paths = sorted((data / "clothing" / "test").rglob("*.jpg"))
    for path in paths[:: max(1, len(paths) // _EACH)][:_EACH]:
        yield "clothing", path.name, read_pixels(path, SIDE_PX)
    for i, digit in enumerate(read_digits(data, "t10k", _EACH)):
        large = cv2.resize(digit, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
        yield "digits", f"digit {i}", np.repeat(large[:, :, None], 3, axis=2)
    rng = np.random.default_rng(_SEED)
    for i in range(_EACH):
        yield "patterns", f"pattern {i}", pattern(rng, i % 6)


def pattern(rng: np.random.Generator, kind: int) -> Pixels:
    """Draw clouds, rings, a chessboard, salt and pepper, a moiré or crazy paving: RGB ``(288, 288, 3)``."""
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX].astype(np.float32)
    middle = rng.uniform(0, SIDE_PX, 2)
    distance = np.hypot(x - middle[0], y - middle[1])
    if kind == 0:
        plane = _clouds(rng)
    elif kind == 1:
        plane = 0.5 + 0.5 * np.sin(distance / rng.uniform(2, 20))
    elif kind == 2:
        side = rng.uniform(6, 60)
        plane = (np.floor(x / side) + np.floor(y / side)) % 2
    elif kind == 3:
        plane = (rng.random((SIDE_PX, SIDE_PX)) < rng.uniform(0.05, 0.5)).astype(np.float32)
    elif kind == 4:
        plane = 0.5 + 0.5 * np.sin(x * y / rng.uniform(200, 3000))
    else:
        seeds = rng.uniform(0, SIDE_PX, (int(rng.integers(10, 60)), 2))
        owner = np.hypot(x[..., None] - seeds[:, 0], y[..., None] - seeds[:, 1]).argmin(2)
        plane = rng.random(len(seeds))[owner]
    low, high = rng.integers(0, 256, (2, 3))
    return np.asarray(low + (high - low) * plane[..., None], np.float32).clip(0, 255).astype(np.uint8)


def _clouds(rng: np.random.Generator) -> NDArray[np.float32]:
    plane = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    for octave in range(2, 7):
        coarse = rng.random((2**octave, 2**octave), dtype=np.float32)
        plane += cv2.resize(coarse, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC) / 2 ** (octave - 1)
    return np.asarray((plane - plane.min()) / (plane.max() - plane.min()), np.float32)


def share_refused(model: Any, pictures: Iterable[Stranger], *, refusal_is_right: bool) -> Shares:
    """Ask one question about every picture, show wrong answers, and give the share refused by kind and over all."""
    refused: dict[str, list[bool]] = defaultdict(list)
    for number, (kind, name, pixels) in enumerate(pictures):
        frame = edge_sdk.Frame.of(np.ascontiguousarray(pixels[:, :, ::-1]))
        asked = questions_for(name)
        reply = "".join(model.ask(asked[number % len(asked)].text, frame))
        refused[kind].append(is_refused(reply))
        if refused[kind][-1] != refusal_is_right:
            print(f"  {kind}, {name}: {reply}")
    refused["all"] = [one for group in refused.values() for one in group]
    return {kind: {"refused": sum(group) / len(group), "shown": len(group)} for kind, group in refused.items()}


def main() -> None:
    """Count refusals from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--bundle", default="smear")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
    films = [("films", picture.name, picture.pixels) for picture in read_other_films(args.data, SIDE_PX)[1::2]]
    with edge_sdk.load(args.bundle) as model:
        shares = {
            "no_film": share_refused(model, strangers(args.data), refusal_is_right=True),
            "film": share_refused(model, films, refusal_is_right=False),
        }
    for what, kinds in shares.items():
        for kind, got in kinds.items():
            print(f"{what:8} {kind:12} {got['refused']:.3f} of {got['shown']} refused")
    if args.json:
        result = {**shares, "bundle_sha256": sha256(find_bundle(args.bundle))}
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
