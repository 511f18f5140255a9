"""Show what `count` costs beyond what it must: the engine's runs and OpenCV's resize of the same frame, in turns.

    python benchmarks/overhead.py --json OUT [--frames 300] [--short]

The bare side calls LiteRT's C function with arguments that were made beforehand, and `cv2.resize` into a buffer.
JSON: `{"count_ms", "bare_ms", "ratio": {"median", "p25", "p75"}, "frames", "threads"}`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bare import bare_calls

import edge_sdk as edge
from edge_sdk.pipeline import VisionLanguageModel


def bare_runs(model: VisionLanguageModel) -> Callable[[np.ndarray[Any, Any]], None]:
    """Give a function that resizes a picture and runs encoder and head, and does nothing else."""
    eyes = model._eyes()._eyes  # open since the first frame
    assert eyes is not None
    run_all = bare_calls([eyes._encode, *eyes._after.values()])
    _, height, width, _ = eyes._picture.shape
    resized = np.empty((height, width, 3), np.uint8)

    def run(pixels: np.ndarray[Any, Any]) -> None:
        cv2.resize(pixels, (width, height), dst=resized)
        run_all()

    return run


def measure(frames: int, threads: int) -> dict[str, Any]:
    """Time both sides on the same frames; who goes first changes from frame to frame."""
    photos = [edge.Frame.open(path).pixels for path in sorted(_photos().glob("*.jpg"))]
    took: dict[str, list[float]] = {"count": [], "bare": []}
    with edge.load("smear", engine="litert", threads=threads) as model:
        model.count(photos[0])
        bare = bare_runs(model)
        for number in range(-10, frames):
            # A new frame every time: one that was seen before would not be encoded again.
            frame = edge.Frame.of(photos[number % len(photos)])
            sides = [
                ("count", lambda frame=frame: model.count(frame)),
                ("bare", lambda f=frame: bare(f.pixels)),
            ]
            for name, side in sides if number % 2 else reversed(sides):
                begin = time.perf_counter()
                side()
                if number >= 0:
                    took[name].append((time.perf_counter() - begin) * 1000)
    ratios = [a / b for a, b in zip(took["count"], took["bare"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {
        "count_ms": round(statistics.median(took["count"]), 3),
        "bare_ms": round(statistics.median(took["bare"]), 3),
        "ratio": {"median": round(middle, 4), "p25": round(low, 4), "p75": round(high, 4)},
        "frames": frames,
        "threads": threads,
    }


def _photos() -> Path:
    return Path(edge.__file__).parent / "data" / "photos"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="20 frames, to see that it runs")
    options = parser.parse_args()
    result = measure(20 if options.short else options.frames, options.threads)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
