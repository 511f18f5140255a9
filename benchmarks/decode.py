"""Compare decoding with LiteRT-LM's, on one bundle, in turns, each in a process of its own.

    python benchmarks/make_bundles.py 135m
    python benchmarks/decode.py --bundle build/bundles/135m.litertlm --json OUT [--turns 7] [--threads 2] [--short]

Both read the same file with the same number of threads, from a warm weight cache, and do in each turn: load, 128
tokens of prompt, 128 tokens of answer, greedy. Ours runs what `model.ask` runs (edge_sdk.pipeline.decoder and
sampler); LiteRT-LM runs its own benchmark and is quoted by its own counters. Nothing is warmed up but the disk and
the weight cache.

JSON: `{"ours": {...}, "litert_lm": {...}, "ratio": {"decode", "prefill", "peak_rss", "first_token"}, "share_of_limit",
...}`; each measure with its median, least and most over the turns. A ratio is ours to LiteRT-LM's of the same turn, so
that what else the machine does weighs on both; the median of those. `first_token_s` counts from opening the file; our
prefill until the scores of the first token are there.
`share_of_limit` is decoding's share of what reading memory allows, measured in each turn: a step reads all packed
weights but the table's rows, and the cache. What others do, llama.cpp too, is in peers.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

PROMPT, ANSWER = 128, 128
# What the project promises: decode, prefill and the share of the limit at least, the others at most.
BARS = {"decode": 2.2, "prefill": 2.2, "peak_rss": 0.67, "first_token": 0.5, "share_of_limit": 0.85}


def ours(bundle: Path, cache: Path, threads: int, answer: int) -> dict[str, float]:
    """Run one turn with the SDK in this process."""
    from edge_sdk.bench.limit import read_bandwidth_bytes_per_s
    from edge_sdk.bundle import open_bundle
    from edge_sdk.memory import DECODER, Loader, bundle_parts
    from edge_sdk.memory.private import private_bytes
    from edge_sdk.pipeline.decoder import Decoder
    from edge_sdk.pipeline.sampler import Sampler
    from edge_sdk.runtime import WeightCache

    begin = time.perf_counter()
    with open_bundle(bundle) as opened:
        size = opened.tokenizer().vocab_size  # a conversation needs it, and LiteRT-LM loads it too
        parts = bundle_parts(opened, threads=threads, weight_cache=WeightCache(cache))
        with Loader(parts) as loader:
            decoder, sampler = Decoder(opened, loader.acquire, for_good=True), Sampler()
            loaded = time.perf_counter()
            prompt = [5 + 7919 * place % (size - 5) for place in range(PROMPT)]
            fed = time.perf_counter()
            token = sampler.pick(decoder.prefill(prompt))
            first = time.perf_counter()
            for _ in range(answer - 1):
                token = sampler.pick(decoder.step(token))
            done = time.perf_counter()
            held_bytes, peak_bytes = private_bytes(), _peak_bytes()
            with loader.acquire(DECODER) as model:
                weights = model.weights
            read_bytes = (weights or bundle).stat().st_size + sum(array.nbytes for array in decoder.caches.arrays)
            decoder.close()
    limit_per_s = read_bandwidth_bytes_per_s(threads, read_bytes, tries=3) / read_bytes
    return {
        "private_bytes": held_bytes,
        "peak_rss_bytes": peak_bytes,
        "share_of_limit": (answer - 1) / (done - first) / limit_per_s,
        "load_s": loaded - begin,
        "first_token_s": loaded - begin + first - fed,
        "prefill_tokens_per_s": len(prompt) / (first - fed),
        "decode_tokens_per_s": (answer - 1) / (done - first),
    }


def _peak_bytes() -> int:
    """Return the kernel's mark for this program; getrusage's would begin with what its parent took."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


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
    found.setdefault("peak_rss_bytes", _peak_bytes())
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
    import tempfile  # brings OpenSSL, 3 MB that no turn should count

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
    result["share_of_limit"] = result["ours"]["share_of_limit"]["median"]
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
    parser.add_argument("--turns", type=int, default=7)
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
    print(json.dumps(result["ratio"] | {"share_of_limit": result["share_of_limit"]}))


if __name__ == "__main__":
    main()
