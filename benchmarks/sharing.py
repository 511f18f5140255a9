"""How much memory several processes share that use one bundle, ours and LiteRT-LM's.

    python benchmarks/sharing.py --bundle build/bundles/135m.litertlm --json OUT [--processes 4] [--short]

Each process loads the bundle, takes a hundred tokens in, decodes 32, and keeps everything open while it is looked at.
PSS counts a page that several processes have mapped in equal shares, so the sum over processes is what they take
together. Source: proc_pid_smaps_rollup(5).

JSON: `{"ours": {"one", "all", "ratio"}, "litert_lm": {...}, "processes"}`; sums of PSS in bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SIDES = ("ours", "litert_lm")
_WORDS = "how many cells are there and where are they in this frame "
_ANSWER = 32
MOST_RATIO = 2.0  # what the project promises of four


def ours(bundle: Path, cache: Path) -> Any:
    """Answer with the SDK; return what is to be kept."""
    import edge_sdk as edge
    from edge_sdk.runtime import WeightCache

    model = edge.load(bundle, weight_cache=WeightCache(cache), threads=1, engine="litert")
    each = len(model.bundle.tokenizer().encode(_WORDS * 10)) / 10
    return model, model.ask(_WORDS * max(1, int(100 / each)), max_tokens=_ANSWER).text


def litert_lm(bundle: Path, cache: Path) -> Any:
    """Answer with LiteRT-LM; return what is to be kept."""
    import litert_lm as library

    library.set_min_log_severity(library.LogSeverity.ERROR)
    engine = library.Engine(str(bundle), backend=library.Backend.CPU(thread_count=1), cache_dir=str(cache))
    greedy = library.SamplerConfig(top_k=1, top_p=1.0, temperature=1.0)
    talk = engine.create_conversation(sampler_config=greedy, max_output_tokens=_ANSWER)
    return engine, talk, talk.send_message(_WORDS * 8)


def work(side: str, bundle: Path, cache: Path) -> None:
    """Answer, say so, and wait."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # LiteRT-LM logs on both
    kept = {"ours": ours, "litert_lm": litert_lm}[side](bundle, cache)
    out.write("ready\n")
    out.flush()
    sys.stdin.readline()
    assert kept
    os._exit(0)  # LiteRT-LM's threads sometimes crash at exit


def together(side: str, bundle: Path, cache: Path, count: int) -> int:
    """Return what so many processes take together, in bytes."""
    command = [sys.executable, __file__, "--work", side, "--bundle", str(bundle), "--cache", str(cache)]
    workers = []
    try:
        for _ in range(count):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            workers.append(subprocess.Popen(command, text=True, **pipes))
        if any(worker.stdout.readline() != "ready\n" for worker in workers):
            raise SystemExit(f"A process of {side} ended early.")
        return sum(map(_pss_bytes, workers))
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def _pss_bytes(worker: subprocess.Popen[str]) -> int:
    """Return what a process takes, with the one that it has started for templates."""
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    total = 0
    for pid in (str(worker.pid), *children):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += 1024 * int(text.split("\nPss:")[1].split()[0])
    return total


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--short", action="store_true", help="two of ours, to see that it runs")
    parser.add_argument("--work", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.bundle, options.cache)
        return
    count = 2 if options.short else options.processes
    result: dict[str, Any] = {"bundle": options.bundle.name, "processes": count, "most_ratio": MOST_RATIO}
    with tempfile.TemporaryDirectory() as scratch:
        for side in SIDES[:1] if options.short else SIDES:
            cache = Path(scratch, side)
            cache.mkdir()
            together(side, options.bundle, cache, 1)  # packs the weights
            one, all_of_them = (together(side, options.bundle, cache, n) for n in (1, count))
            result[side] = {"one": one, "all": all_of_them, "ratio": round(all_of_them / one, 3)}
            print(side, json.dumps(result[side]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
