"""Put faults between the bridge's client and the firmware in real MicroPython, and count what goes wrong.

    python benchmarks/bridge_faults.py --json OUT [--short] [--seed N] [--only flip move ...] [--docs]
    python -m venv PEERS && PEERS/bin/pip install -e '.[bridge-peers]'     # smpclient and pymata4
    python benchmarks/bridge_faults.py --json OUT --peers PEERS/bin/python --docs

The client is the one that users have (`open_bridge`), on a pseudo-terminal; the firmware's server runs in MicroPython's
Unix port (EDGE_MICROPYTHON, or `micropython` on the path) or under node (`make micropython`). Between them stands a
seeded proxy (firmware_bridge/simulation) that counts what it puts in. The device writes down every value that its
outputs are set to and every step that its motors make; that is held against what was asked and what the caller was
told, so that neither side judges itself. `--peers` has other clients move an axis through the same faults.

JSON: `{"command", "machine", "micropython", "rounds": {NAME: {...}}, "peers": {...}, "broken": [...]}`; rounds that
this run has not are kept from what is in the file. It ends with status 1 if anything that must be 0 is not.
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
from fault.page import write_page
from fault.peers import contest
from fault.plan import ROUNDS, broken
from fault.rig import HOW, ROOT, found


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Run the rounds, and give what each of them counted."""
    interpreter = found()[0]
    rounds: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = os.environ["XDG_STATE_HOME"] = f"{folder}/home"
        for name, (_, act) in ROUNDS.items():
            if asked.only and name not in asked.only:
                continue
            rounds[name] = act(interpreter, Path(folder) / name, asked.short, asked.seed)
            print(f"{name}: {json.dumps(rounds[name])}", flush=True)
    return rounds


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write what was counted here")
    parser.add_argument("--short", action="store_true", help="few of everything, to see that it runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=[*ROUNDS, "none"], help="only these rounds")
    parser.add_argument("--peers", type=Path, help="the Python of an environment with the extra bridge-peers")
    parser.add_argument(
        "--docs", action="store_true", help="write docs/reference/bridge-faults.md from what --json has"
    )
    asked = parser.parse_args()
    if not found():
        sys.exit(HOW)
    result: dict[str, Any] = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else {}
    rounds = run(asked)
    result["rounds"] = result.get("rounds", {}) | rounds
    if asked.peers:
        result["peers"] = contest(found()[0], asked.peers, asked.short, asked.seed)
    options = f"{' --short' * asked.short} --seed {asked.seed}{' --peers PYTHON' * bool(result.get('peers'))}"
    result["command"] = f"python benchmarks/bridge_faults.py{options} --json OUT --docs"
    result["machine"], result["micropython"] = machine(), version(found()[0])
    result["broken"] = broken(result["rounds"])
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")
    if asked.docs:
        write_page(result, ROOT / "docs/reference/bridge-faults.md")
    print(f"broken: {', '.join(result['broken']) or 'nothing'}")
    sys.exit(bool(result["broken"]))


if __name__ == "__main__":
    main()
