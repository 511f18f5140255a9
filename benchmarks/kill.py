"""Kill a process that loads a model and writes its weight cache, at random moments: the next start always works.

    python benchmarks/kill.py --json OUT [--bundle FILE] [--kills 100] [--short]

Before each kill the weight cache is emptied with a chance of a half, so that writing is hit as often as reading. Half
of the kills take the whole process group, as a power cut does, the others the process alone: what it started goes on,
and meets the next start. That one must come through by itself, give the same answer as an undisturbed one, and leave a
whole cache file; a process that hangs counts as one that failed.

JSON: `{"bundle", "seed", "kills", "failed", "undisturbed_s", "moments": [{"after_s", "emptied", "group", "left",
"next"}]}`. `left` is what the kill left in the cache: nothing, unfinished, whole, or both; `next` what became of the
next start.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SEED = 7
_LIMIT_S = 300.0


def work(bundle: Path, cache: Path) -> None:
    """Open every model of a bundle, run each signature once on zeros, and print a digest of what came out."""
    from edge_sdk.bundle import open_bundle
    from edge_sdk.runtime import WeightCache, engine, open_model

    engine._WORTH_CACHING_BYTES = 0  # the smallest bundles, too, are to write a cache
    digest = hashlib.sha256()
    with open_bundle(bundle) as opened:
        for section in opened.sections:
            if section.is_model:
                place = {"offset": section.offset, "size": section.size}
                with open_model(bundle, **place, engine="litert", threads=1, weight_cache=WeightCache(cache)) as model:
                    for name in model.signatures:
                        run = model.bind(name)
                        run()
                        for output in run.outputs.values():
                            digest.update(output.tobytes())
    print(digest.hexdigest(), flush=True)


def start(bundle: Path, cache: Path) -> subprocess.Popen[str]:
    """Start a process that works, in a group of its own."""
    command = [sys.executable, __file__, "--work", "--bundle", str(bundle), "--cache", str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def end_group(process: subprocess.Popen[str]) -> None:
    """Kill whatever is left of a process and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def finished(bundle: Path, cache: Path) -> tuple[str, str]:
    """Work undisturbed; return the digest, empty where that failed, and what it complained of."""
    process = start(bundle, cache)
    try:
        out, complaints = process.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        end_group(process)
        process.communicate()
        return "", "timed out"
    return (out.strip() if process.returncode == 0 else ""), complaints[-300:]


def left_in(cache: Path) -> str:
    """Say what a kill has left."""
    from edge_sdk.runtime.weight_cache import is_whole

    files = [file for file in cache.glob("*") if file.suffix != ".json"] if cache.exists() else []
    whole = any(is_whole(file) for file in files if file.suffix == ".weights")
    unfinished = any(file.suffix != ".weights" for file in files)
    return {(False, False): "nothing", (True, False): "whole", (False, True): "unfinished", (True, True): "both"}[
        whole, unfinished
    ]


def killed(bundle: Path, cache: Path, after_s: float, chance: random.Random, wanted: str) -> dict[str, Any]:
    """Kill one, start the next, and judge it."""
    emptied, group = chance.random() < 0.5, chance.random() < 0.5
    if emptied:
        shutil.rmtree(cache, ignore_errors=True)
    process = start(bundle, cache)
    time.sleep(after_s)
    end_group(process) if group else process.kill()
    process.stdout.close(), process.stderr.close(), process.wait()
    left = left_in(cache)
    found, complaints = finished(bundle, cache)
    end_group(process)
    after = "works" if found == wanted and left_in(cache) in ("whole", "both") else complaints or f"differs: {found}"
    return {"after_s": round(after_s, 3), "emptied": emptied, "group": group, "left": left, "next": after}


def measure(bundle: Path, kills: int) -> dict[str, Any]:
    """Kill so many."""
    chance = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder, "weights")
        begin = time.perf_counter()
        wanted, complaints = finished(bundle, cache)
        undisturbed_s = time.perf_counter() - begin
        if not wanted:
            raise SystemExit(f"It does not even work undisturbed: {complaints}")
        moments = []
        for number in range(kills):
            moments.append(killed(bundle, cache, chance.uniform(0, undisturbed_s), chance, wanted))
            print(f"{number + 1}/{kills} {json.dumps(moments[-1])}", flush=True)
    return {
        "bundle": bundle.name,
        "seed": SEED,
        "kills": kills,
        "failed": sum(moment["next"] != "works" for moment in moments),
        "undisturbed_s": round(undisturbed_s, 2),
        "moments": moments,
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=ROOT / "edge_sdk/data/smear.litertlm")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--short", action="store_true", help="six kills, to see that it runs")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.bundle, options.cache)
        return
    result = measure(options.bundle, 6 if options.short else options.kills)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{result['failed']} of {result['kills']} starts after a kill failed.")
    if result["failed"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
