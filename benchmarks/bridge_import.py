"""Show what the bridge costs a Python that has pyserial imported: time and memory, in fresh processes, in turns.

    python benchmarks/bridge_import.py --json OUT [--rounds 15] [--short]

Two steps: ``import firmware_bridge``, then `open_bridge` from it, which loads the whole client.
JSON: by step `{"ms", "kb"}`, each on top of the one before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

STEPS = {
    "import firmware_bridge": "import firmware_bridge",
    "open_bridge from it": "from firmware_bridge import open_bridge",
}
_PROGRAM = """
import time, serial
def held():
    with open("/proc/self/smaps_rollup") as told:
        return next(int(line.split()[1]) for line in told if line.startswith("Rss:"))
held()
rows = []
for step in {steps!r}:
    before_kb, begin = held(), time.perf_counter()
    exec(step)
    rows.append(((time.perf_counter() - begin) * 1000, held() - before_kb))
print(rows)
"""


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Give the medians of each step."""
    program = _PROGRAM.format(steps=list(STEPS.values()))
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in STEPS}
    for _ in range(rounds + 1):  # the first writes the compiled files
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        for name, row in zip(STEPS, json.loads(done.stdout.replace("(", "[").replace(")", "]")), strict=True):
            found[name].append((row[0], row[1]))
    return {
        name: {
            "ms": round(statistics.median(ms for ms, _ in rows[1:]), 2),
            "kb": round(statistics.median(kb for _, kb in rows[1:])),
        }
        for name, rows in found.items()
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--short", action="store_true", help="two rounds, to see that it runs")
    options = parser.parse_args()
    result = measure(2 if options.short else options.rounds)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
