"""Compare decoding with LiteRT-LM's, on one bundle, in turns, each in a process of its own.

    python benchmarks/make_bundles.py 135m
    python benchmarks/decode.py --bundle build/bundles/135m.litertlm --json OUT [--turns 5] [--short]

Both read the same file with the same number of threads, from a warm weight cache, and do in each turn: load, 128
tokens of prompt, 128 tokens of answer, greedy. Ours runs what `model.ask` runs (edge_sdk.pipeline.decoder and
sampler); LiteRT-LM runs its own benchmark and is quoted by its own counters. Nothing is warmed up but the disk and
the weight cache.

JSON: `{"ours": {...}, "litert_lm": {...}, "ratio": {"decode", "prefill", "peak_rss", "first_token"}}`; each measure
with its median, least and most over the turns. A ratio is ours to LiteRT-LM's of the same turn, so that whatever
else the machine does weighs on both; the median of those. `first_token_s` counts from opening the file.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

PROMPT, ANSWER = 128, 128
# What the project promises: decode and prefill at least, peak_rss at most.
BARS = {"decode": 1.5, "prefill": 1.3, "peak_rss": 0.8}


def ours(bundle: Path, cache: Path, threads: int, answer: int) -> dict[str, float]:
    """Run one turn with the SDK in this process."""
    from edge_sdk.bundle import open_bundle
    from edge_sdk.memory import Loader, bundle_parts
    from edge_sdk.pipeline.decoder import Decoder
    from edge_sdk.pipeline.sampler import Sampler
    from edge_sdk.runtime import WeightCache

    begin = time.perf_counter()
    with open_bundle(bundle) as opened:
        size = opened.tokenizer().vocab_size  # a conversation needs it, and LiteRT-LM loads it too
        parts = bundle_parts(opened, threads=threads, weight_cache=WeightCache(cache))
        with Loader(parts) as loader:
            decoder, sampler = Decoder(opened, loader.acquire), Sampler()
            loaded = time.perf_counter()
            *prompt, token = random.Random(7).choices(range(5, size), k=PROMPT)
            fed = time.perf_counter()
            decoder.feed(prompt)
            prefilled = time.perf_counter()
            token = sampler.pick(decoder.step(token))
            first = time.perf_counter()
            for _ in range(answer - 1):
                token = sampler.pick(decoder.step(token))
            done = time.perf_counter()
    return {
        "load_s": loaded - begin,
        "first_token_s": loaded - begin + first - fed,
        "prefill_tokens_per_s": len(prompt) / (prefilled - fed),
        "decode_tokens_per_s": answer / (done - prefilled),
    }


def litert_lm(bundle: Path, cache: Path, threads: int, answer: int) -> dict[str, float]:
    """Run one turn of LiteRT-LM's own benchmark in this process."""
    import litert_lm as library

    library.set_min_log_severity(library.LogSeverity.ERROR)
    found = library.Benchmark(
        str(bundle),
        backend=library.Backend.CPU(thread_count=threads),
        prefill_tokens=PROMPT,
        decode_tokens=answer,
        cache_dir=str(cache),
    ).run()
    return {
        "load_s": found.init_time_in_second,
        "first_token_s": found.init_time_in_second + found.time_to_first_token_in_second,
        "prefill_tokens_per_s": found.last_prefill_tokens_per_second,
        "decode_tokens_per_s": found.last_decode_tokens_per_second,
    }


SIDES = {"ours": ours, "litert_lm": litert_lm}


def work(side: str, bundle: Path, cache: Path, threads: int, answer: int) -> None:
    """Be the process of one turn: measure, and print JSON on the real standard output."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # LiteRT-LM logs on both
    found = SIDES[side](bundle, cache, threads, answer)
    # The kernel's own mark for this program; getrusage would count what the parent was before it became this.
    status = Path("/proc/self/status").read_text()
    found["peak_rss_bytes"] = int(status.split("VmHWM:")[1].split()[0]) * 1024
    json.dump(found, out)
    out.flush()
    os._exit(0)  # LiteRT-LM's threads sometimes crash at exit


def turn(side: str, bundle: Path, cache: Path, threads: int, answer: int) -> dict[str, float]:
    """Run one turn in a process of its own."""
    worker = [sys.executable, __file__, "--worker", side, "--bundle", bundle, "--cache", cache]
    command = [*map(str, worker), "--threads", str(threads), "--answer", str(answer)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode or not ended.stdout:
        raise SystemExit(f"{side} failed:\n{ended.stderr[-2000:]}")
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def compare(bundle: Path, turns: int, threads: int, answer: int) -> dict[str, Any]:
    """Run all turns and put them together."""
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as scratch:
        caches = {side: Path(scratch, side) for side in SIDES}
        for number in range(turns + 1):
            for side in SIDES:
                caches[side].mkdir(exist_ok=True)
                measured = turn(side, bundle, caches[side], threads, answer)
                if number:  # the first one packs the weights
                    found[side].append(measured)
                    print(f"{number}/{turns} {side:9} " + "  ".join(f"{k} {v:.4g}" for k, v in measured.items()))
    result: dict[str, Any] = {side: {key: summary(runs, key) for key in runs[0]} for side, runs in found.items()}
    keys = {
        "decode": "decode_tokens_per_s",
        "prefill": "prefill_tokens_per_s",
        "peak_rss": "peak_rss_bytes",
        "first_token": "first_token_s",
    }
    pairs = list(zip(found["ours"], found["litert_lm"], strict=True))
    result["ratio"] = {
        name: round(median(own[key] / other[key] for own, other in pairs), 3) for name, key in keys.items()
    }
    return result


def summary(runs: list[dict[str, float]], key: str) -> dict[str, float]:
    """Return the median, least and most of a measure."""
    values = [run[key] for run in runs]
    return {name: float(f"{pick(values):.6g}") for name, pick in (("median", median), ("least", min), ("most", max))}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=min(4, len(os.sched_getaffinity(0))))
    parser.add_argument("--short", action="store_true", help="one turn of 16 tokens, to see that it runs")
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=int, default=ANSWER, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        work(asked.worker, asked.bundle, asked.cache, asked.threads, asked.answer)
    turns, answer = (1, 16) if asked.short else (asked.turns, asked.answer)
    result = compare(asked.bundle, turns, asked.threads, answer)
    result |= {"bundle": asked.bundle.name, "turns": turns, "threads": asked.threads, "bars": BARS}
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["ratio"]))


if __name__ == "__main__":
    main()
