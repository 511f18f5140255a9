"""See whether memory grows over ten thousand frames in a row through `count`.

    python benchmarks/soak.py --json OUT [--frames 10000] [--short]

Resident memory is read after the first hundred frames and at the end, both after a garbage collection.
JSON: `{"frames", "rss_after_100_bytes", "rss_at_end_bytes", "growth_bytes"}`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
from pathlib import Path

import numpy as np

import edge_sdk as edge

_WARM = 100


def resident_bytes() -> int:
    """Give the resident memory of this process. Source: proc_pid_statm(5)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(frames: int) -> dict[str, int]:
    """Count cells in frames that are shifted a little each time, as a camera's are."""
    photos = [
        edge.Frame.open(path).pixels for path in sorted((Path(edge.__file__).parent / "data/photos").glob("*.jpg"))
    ]
    early = 0
    with edge.load("smear", threads=1) as model:
        for number in range(frames):
            photo = photos[number % len(photos)]
            model.count(np.roll(photo, number % 64, axis=1))
            if number == _WARM - 1:
                gc.collect()
                early = resident_bytes()
            if number % 1000 == 999:
                print(f"{number + 1} frames, {resident_bytes() >> 10} KiB", flush=True)
        gc.collect()
        late = resident_bytes()
    return {
        "frames": frames,
        "rss_after_100_bytes": early,
        "rss_at_end_bytes": late,
        "growth_bytes": late - early,
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--short", action="store_true", help="300 frames, to see that it runs")
    options = parser.parse_args()
    result = measure(300 if options.short else options.frames)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
