"""Show what it saves to take a model's input from a camera's own bytes, rather than from BGR pixels made of them.

    python benchmarks/raw_frame.py --json OUT [--times 60] [--short]

For YUYV (USB cameras) and planes of YUV 4:2:0 (rpicam-vid), in turns: all of the frame made BGR and that prepared for
the encoder of `smear`, 288x288 bytes; and the bytes resized and what is left made BGR. JSON: a list of `{"format",
"size", "pixels_ms", "raw_ms", "ratio"}`, each a median.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from edge_sdk.pipeline.preprocess import Preprocess
from edge_sdk.sources.layout import Layout, frame_of

SIDE_PX = 288
SIZES = ((640, 480), (1280, 720), (1920, 1080))


def measure(times: int) -> list[dict[str, Any]]:
    """Prepare frames both ways, in turns."""
    cv2.setNumThreads(1)
    prepare = Preprocess(SIDE_PX, SIDE_PX, channels="bgr", dtype=np.uint8)
    out = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
    rows = []
    for format in ("yuyv", "yuv420"):
        for width_px, height_px in SIZES:
            layout = Layout(width_px, height_px, format, width_px * (2 if format == "yuyv" else 1))
            data = np.random.default_rng(1).integers(16, 236, layout.frame_bytes, np.uint8)
            took: dict[str, list[float]] = {"pixels": [], "raw": []}
            for _ in range(times):
                whole, raw = (frame_of(layout, data, 0.0, 0, "camera") for _ in range(2))
                took["pixels"].append(_timed(lambda frame=whole: (frame.pixels, prepare.apply(frame, out))))
                took["raw"].append(_timed(lambda frame=raw: prepare.apply(frame, out)))
            rows.append(
                {
                    "format": format,
                    "size": f"{width_px}x{height_px}",
                    **{f"{name}_ms": round(median(values), 3) for name, values in took.items()},
                    "ratio": round(median(a / b for a, b in zip(took["pixels"], took["raw"], strict=True)), 2),
                }
            )
    return rows


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--short", action="store_true", help="3 times, to see that it runs")
    options = parser.parse_args()
    rows = measure(3 if options.short else options.times)
    for row in rows:
        print(row)
    options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
