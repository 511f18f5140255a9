"""Measure what the firmware takes of MicroPython's heap: its code, compiled there, and an idle server.

    EDGE_MICROPYTHON=.../micropython python benchmarks/firmware_heap.py --json OUT

The server has 4 sensors, 4 outputs and 2 axes. A microcontroller's pointers have 4 bytes: for its figures take a Unix
port that was built with `gcc -m32` and `CFLAGS_EXTRA=-DMICROPY_FLOAT_IMPL=1` (floats of 32 bits); with pointers of 8
bytes it is about half as much again. `--heap-kb` bounds the heap, to see whether it is enough.

JSON: `{"command", "micropython", "pointer_bytes", "code_bytes", "server_bytes", "total_bytes"}`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/micropython"))

from interpreter import HOW, ROOT, found

BEFORE = """
import gc, sys
gc.collect()
begun = gc.mem_alloc()
import firmware_bridge.firmware.server, firmware_bridge.firmware.files
gc.collect()
code = gc.mem_alloc() - begun
"""
AFTER = """
class Cold(Bench):
    def start(self):
        pass

bench = Cold(".")
gc.collect()
before = gc.mem_alloc()
Bench.start(bench)
gc.collect()
idle = gc.mem_alloc() - before
pointer = 4 if sys.maxsize >> 32 == 0 else 8
print(sys.version.split(";")[1].strip().split(" on ")[0], pointer, code, idle, sep="|")
"""


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--heap-kb", type=int, default=1024)
    asked = parser.parse_args()
    out = asked.json.resolve()
    unix = [one for one in found() if one.kind == "unix"]
    if not unix:
        raise SystemExit(f"{HOW}; the heap is measured in the Unix port only")
    bench = (ROOT / "tests/firmware_bridge/firmware/bench.py").read_text()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        version, pointer, code, server = unix[0].run(BEFORE + bench + AFTER, heap_kb=asked.heap_kb).strip().split("|")
    told = {
        "command": " ".join(["python", "benchmarks/firmware_heap.py", *sys.argv[1:]]),
        "micropython": version,
        "pointer_bytes": int(pointer),
        "code_bytes": int(code),
        "server_bytes": int(server),
        "total_bytes": int(code) + int(server),
    }
    out.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
