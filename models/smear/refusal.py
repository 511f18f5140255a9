"""Show the bundle pictures that are no blood film, of kinds it never trained on, and count refusals.

    python models/smear/refusal.py --json OUT

The photographs, the test parts of clothing and digits, and patterns drawn here; one question each.
Real films from another laboratory are shown as well: they should not be refused.
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

_SEED = 11
_EACH = 120
_PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


Stranger = tuple[str, str, Pixels]


def strangers(data: Path) -> Iterator[Stranger]:
    """Give kind, name and RGB pixels ``(288, 288, 3)`` of each picture."""
    photos = data.parent / "photos"
    for path in sorted(p for p in photos.iterdir() if p.suffix.lower() in _PHOTO_SUFFIXES):
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
    """Draw clouds, rings, a chessboard, salt and pepper, a moiré or crazy paving."""
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


def share_refused(model: Any, pictures: Iterable[Stranger], *, show: bool) -> dict[str, float]:
    """Ask one question about every picture and give the share refused, by kind and over all; show the wrong ones."""
    refused: dict[str, list[bool]] = defaultdict(list)
    for number, (kind, name, pixels) in enumerate(pictures):
        frame = edge_sdk.Frame.of(np.ascontiguousarray(pixels[:, :, ::-1]))
        asked = questions_for(name)
        reply = "".join(model.ask(asked[number % len(asked)].text, frame))
        refused[kind].append(is_refused(reply))
        if refused[kind][-1] != show:
            print(f"  {kind}, {name}: {reply}")
    everything = [good for group in refused.values() for good in group]
    return {**{kind: sum(good) / len(good) for kind, good in refused.items()}, "all": sum(everything) / len(everything)}


def main() -> None:
    """Count refusals from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--bundle", default="smear")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    films = [("films", p.name, cv2.resize(p.pixels, (SIDE_PX, SIDE_PX))) for p in read_other_films(args.data)[1::2]]
    with edge_sdk.load(args.bundle) as model:
        shares = {
            "no_film": share_refused(model, strangers(args.data), show=True),
            "film": share_refused(model, films, show=False),
        }
    for what, kinds in shares.items():
        for kind, share in kinds.items():
            print(f"{what:8} {kind:12} {share:.3f} refused")
    if args.json:
        args.json.write_text(json.dumps(shares, indent=1) + "\n")


if __name__ == "__main__":
    main()
