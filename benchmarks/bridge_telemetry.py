"""Read a sensor a thousand times a second over the bridge, and see that nothing is lost unsaid and memory stays flat.

    python benchmarks/bridge_telemetry.py --json OUT [--seconds 600] [--short] [--seed N]

The firmware's server runs in real MicroPython, as in bridge_faults.py, with a sensor whose every value comes once: a
value that is missing must have been said to be missed. JSON: `{"command", "machine", "micropython", "seconds",
"readings", "per_second", "periods_left_out", "device_waited_s", "machine_stolen_s", "missed_and_told",
"missed_unseen", "host_rss_bytes", "device_heap_bytes", ...}`; of memory the least that was held in the second third of
the time, the least in the last, and the most of all. It ends with status 1 if a reading was lost unsaid or memory grew.

A period in which the device has no processor is left out, since no reading can be taken after its time. So the device
goes before all other programs where this may say so, as a microcontroller does that has its own; `device_waited_s` is
how long it waited all the same, and `machine_stolen_s` how long a virtual machine's host kept each processor.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from fault.machine import machine, version
from fault.rig import HOW, found
from fault.timing import telemetry

_GROWTH_BYTES = {"host_rss_bytes": 1 << 20, "device_heap_bytes": 4096}


def flat(result: dict[str, Any]) -> bool:
    """Say whether memory in the last third of the time was what it was in the second."""
    held = {name: result[name] for name in _GROWTH_BYTES}
    return all(told["late"] - told["early"] <= _GROWTH_BYTES[name] for name, told in held.items() if told)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--short", action="store_true", help="ten seconds")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if not found():
        sys.exit(HOW)
    seconds = 10.0 if asked.short else asked.seconds
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = os.environ["XDG_STATE_HOME"] = f"{folder}/home"
        found_out = telemetry(found()[0], Path(folder) / "rig", seconds=seconds, seed=asked.seed)
    result = {"command": f"python benchmarks/bridge_telemetry.py --json OUT --seconds {seconds:g}"}
    result |= {"machine": machine(), "micropython": version(found()[0]), **found_out, "flat": flat(found_out)}
    asked.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))
    sys.exit(bool(found_out["missed_unseen"]) or not result["flat"])


if __name__ == "__main__":
    main()
