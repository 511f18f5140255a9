"""Compare the SDK with what a user could pick instead, in one run, in turns, each in a process of its own.

    python benchmarks/make_bundles.py 135m                 # the bundle
    pip install -e '.[peers]'                              # builds llama.cpp for this machine: ten minutes
    python benchmarks/peer_files.py 135m smear             # the same weights for the others
    python benchmarks/peers.py --shape 135m smear --json OUT --docs [--turns 7] [--threads 2] [--short]

Language: 128 tokens in, 128 out, greedy, the same random weights on all sides. smear: a picture's file and a question
in, the answer out. Every turn runs every side once, and each begins with another side; a turn before the first packs
weights, fills the disk's cache, and has each side choose tokens along our answer, to see that all compute the same.
Ratios are taken within a turn, ours to the other's; the goals are held against their medians. A side that cannot run
is named with what to do about it.

Measured: `load_s` from opening the file, libraries imported; `question_s` from the question to the first token, loaded;
`open_s` from opening the file to the first token; prefill and decoding in tokens a second; `peak_rss_bytes` (VmHWM) and
`private_bytes` (RssAnon and RssShmem, the most at the ends of the steps); of decoding the share of what memory's rate
allows, which each turn measures too.

JSON: `{"command", "machine", "shapes": {SHAPE: {"sides", "ratio", "goals", "missing", "failed", ...}}}`; shapes that
this run has not are kept from what is in the file. `--docs` writes docs/reference/peers.md and its charts from it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

from peer.contest import Contest
from peer.material import open_material
from peer.page import write_page
from peer.place import ROOT
from peer.quiet import Quiet
from peer.result import summarise

PROMPT, ANSWER = 128, 128
SHAPES = ("tiny", "135m", "360m", "smear")


def compare(shape: str, bundle: Path | None, turns: int, threads: int, answer: int) -> dict[str, Any]:
    """Run all turns of a shape and put them together."""
    with open_material(shape, bundle) as material:
        contest = Contest(material, threads, PROMPT, answer)
        quiet = Quiet()
        contest.run(turns)
        found = summarise(material, contest.runs, contest.read_bytes_per_s, (PROMPT, answer))
        return found | {
            "bundle": material.bundle.name,
            "versions": {name: side.version() for name, side in contest.sides.items()},
            "missing": contest.missing,
            "failed": contest.failed,
            "others_share": round(quiet.others_share(), 3),
            "same_choice": contest.same_choice,
            "turns": turns,
            "threads": threads,
            "prompt": PROMPT,
            "answer": answer,
        }


def machine() -> dict[str, Any]:
    """Say what this ran on."""
    about = Path("/proc/cpuinfo").read_text()
    named = [line.partition(":")[2].strip() for line in about.splitlines() if line.startswith("model name")]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": named[0] if named else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def tell(shape: str, found: dict[str, Any]) -> None:
    """Print ratios and goals."""
    for name, ratio in found["ratio"].items():
        print(f"{shape}: ours to {name}: {json.dumps(ratio)}")
    for goal in found["goals"]:
        bar = f"{'at least' if goal['at_least'] else 'at most'} {goal['bar']:g}"
        against = " or ".join(goal["against"]) or "the limit"
        verdict = "reached" if goal["reached"] else "MISSED"
        print(f"{shape}: {goal['what']} to {against}: {goal['found']:.3g}, {bar}: {verdict}")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", choices=SHAPES, help="default: 135m smear; with --short: tiny smear")
    parser.add_argument(
        "--bundle", type=Path, help="another bundle of that (one) shape than build/bundles/SHAPE.litertlm"
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--docs", nargs="?", type=Path, const=ROOT / "docs", help="write page and charts here")
    parser.add_argument("--only-docs", action="store_true", help="measure nothing, write the page from what --json has")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--short", action="store_true", help="one turn of 16 tokens on tiny shapes, to see that it runs"
    )
    asked = parser.parse_args()
    if asked.only_docs:
        write_page(json.loads(asked.json.read_text()), asked.docs or ROOT / "docs")
        return
    shapes = asked.shape or (["tiny", "smear"] if asked.short else ["135m", "smear"])
    turns, answer = (1, 16) if asked.short else (asked.turns, ANSWER)
    result: dict[str, Any] = json.loads(asked.json.read_text()) if asked.json.exists() else {"shapes": {}}
    result["machine"] = machine()
    for shape in shapes:
        found = compare(shape, None if shape == "smear" else asked.bundle, turns, asked.threads, answer)
        result["shapes"][shape] = found
        again = f"--shape {' '.join(result['shapes'])} --turns {turns} --threads {asked.threads} --json OUT --docs"
        result["command"] = f"python benchmarks/peers.py {again}"
        asked.json.write_text(json.dumps(result, indent=1) + "\n")
        tell(shape, found)
    if asked.docs:
        write_page(result, asked.docs)


if __name__ == "__main__":
    main()
