"""Throw a million inputs at the bridge's wire code, in CPython and MicroPython: no crash, bounded memory, one result.

    python benchmarks/bridge_fuzz.py [--json OUT] [--inputs 1000000] [--seed 1] [--short]

Values, bytes, damaged messages and lines come from dice (tests/firmware_bridge/wire/fuzz.py) in runs of 50 000, each
run with a seed of its own. Every result of a run goes into its digest, which must be the same in all interpreters. The
first MicroPython that is found (`make micropython`) runs all of them, others the first tenth. The Unix port has 200 kB
of heap, as a microcontroller has; of CPython the peak of each run's process is told beside that of a short one.

JSON: `{"inputs", "seed", "crashes", "differences", "counts": {kind: count}, "interpreters": {name: {"inputs",
"seconds", "crashes"}}, "cpython_peak_kb": {"short_run", "longest"}}`. Ends with 1 where something crashed or differed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT / "tests" / "micropython"))

from interpreter import HOW, Interpreter, found  # noqa: E402

_FUZZ = _ROOT / "tests/firmware_bridge/wire/fuzz.py"
_RUN = 50_000
_HEAP_KB = 200


class Cpython:
    """The interpreter that runs this, in a process for each run."""

    def __init__(self) -> None:
        self.peak_kb = 0

    def run(self, inputs: int, seed: int) -> dict[str, Any]:
        """Give the report of a run, and keep the peak of its memory."""
        command = [sys.executable, str(_FUZZ), str(inputs), str(seed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            text = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, "CPython: the run ended with an error"
        self.peak_kb = max(self.peak_kb, usage.ru_maxrss)
        report: dict[str, Any] = json.loads(text)
        return report


def in_micropython(interpreter: Interpreter) -> Callable[[int, int], dict[str, Any]]:
    """Give the function that runs the fuzzer there."""

    def run(inputs: int, seed: int) -> dict[str, Any]:
        text = interpreter.run(_FUZZ, str(inputs), str(seed), heap_kb=_HEAP_KB, timeout_s=3600)
        report: dict[str, Any] = json.loads(text)
        return report

    return run


def measure(inputs: int, seed: int) -> dict[str, Any]:
    """Run all, in turns, and compare."""
    cpython = Cpython()
    cpython.run(100, seed)
    short_kb, cpython.peak_kb = cpython.peak_kb, 0
    sides = {"CPython": cpython.run} | {f"MicroPython, {one.kind}": in_micropython(one) for one in found()}
    rows = {name: {"inputs": 0, "seconds": 0.0, "crashes": 0} for name in sides}
    counts: Counter[str] = Counter()
    differences = 0
    for begin in range(0, inputs, _RUN):
        size = min(_RUN, inputs - begin)
        reports = []
        for number, (name, run) in enumerate(sides.items()):
            if number > 1 and begin >= max(inputs // 10, 1):
                continue
            start = time.perf_counter()
            try:
                reports.append(run(size, seed + begin // _RUN))
            except AssertionError as error:
                sys.stderr.write(f"{name}, seed {seed + begin // _RUN}: {error}\n")
                rows[name]["crashes"] += 1
            rows[name]["inputs"] += size
            rows[name]["seconds"] = round(rows[name]["seconds"] + time.perf_counter() - start, 3)
        differences += sum(report != reports[0] for report in reports[1:])
        counts.update(reports[0]["counts"] if reports else {})
        print(f"{begin + size} inputs, {differences} runs that differ", file=sys.stderr)
    crashes = sum(int(row["crashes"]) for row in rows.values())
    result = {"inputs": inputs, "seed": seed, "crashes": crashes, "differences": differences, "counts": dict(counts)}
    return result | {"interpreters": rows, "cpython_peak_kb": {"short_run": short_kb, "longest": cpython.peak_kb}}


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="2000 inputs, to see that it runs")
    options = parser.parse_args()
    result = measure(2000 if options.short else options.inputs, options.seed)
    if not found():
        print(f"only in CPython: {HOW}", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return int(bool(result["crashes"] or result["differences"]))


if __name__ == "__main__":
    sys.exit(main())
