"""Compare a bundle with mixed INT4 weights with the INT8 one of the same shape, in turns, each in a process of its own.

    python benchmarks/make_bundles.py 135m 135m-int4
    python benchmarks/four_bit.py --json OUT [--shape 135m] [--turns 7] [--threads 2] [--short]

Each turn loads from a warm weight cache, takes 128 tokens of prompt and gives 128 of answer, greedy, as `decode` does.
JSON: `{"int8": {...}, "int4": {...}, "ratio": {"decode", "prefill", "first_token", "load", "peak_rss"}, "scores":
{"distance", "same_best"}}`; each measure with its median, least and most; beside them the bytes of the bundle and of
its weight cache. A ratio is INT4 to INT8 of the same turn, the median of those. `scores` tells how far what the two
say of the next token lies apart, as a share of its length, over 64 tokens. That is of random weights, where errors are
as large as anything; what the missing bits cost in answers is told by `models/smear/weight_loss.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from decode import ANSWER, summary, turn

FOLDER = Path(__file__).parents[1] / "build" / "bundles"
SCORED = 64
# What the project promises, at least.
BARS = {"decode": 1.3}
RATIOS = {
    "decode": "decode_tokens_per_s",
    "prefill": "prefill_tokens_per_s",
    "first_token": "first_token_s",
    "load": "load_s",
    "peak_rss": "peak_rss_bytes",
}


def compare(bundles: dict[str, Path], turns: int, threads: int, answer: int) -> dict[str, Any]:
    """Run all turns and put them together."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in bundles}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(turns + 1):
            for name, bundle in bundles.items():
                cache = Path(scratch, name)
                cache.mkdir(exist_ok=True)
                measured = turn("ours", bundle, cache, threads, answer)
                if number:  # the first one packs the weights
                    found[name].append(measured)
                    print(
                        f"{number}/{turns} {name} " + "  ".join(f"{k} {v:.4g}" for k, v in measured.items()), flush=True
                    )
        result: dict[str, Any] = {
            name: {key: summary(found[name], key) for key in found[name][0]}
            | {
                "bundle": bundle.name,
                "bundle_bytes": bundle.stat().st_size,
                "weight_cache_bytes": sum(file.stat().st_size for file in Path(scratch, name).glob("*.weights")),
            }
            for name, bundle in bundles.items()
        }
        eight, four = (scores(bundle, Path(scratch, name), threads) for name, bundle in bundles.items())
    result["scores"] = {
        "distance": float(np.linalg.norm(four - eight) / np.linalg.norm(eight)),
        "same_best": float((four.argmax(1) == eight.argmax(1)).mean()),
    }
    pairs = list(zip(found["int4"], found["int8"], strict=True))
    result["ratio"] = {
        name: round(median(four[key] / eight[key] for four, eight in pairs), 3) for name, key in RATIOS.items()
    }
    return result


def scores(bundle: Path, cache: Path, threads: int) -> npt.NDArray[np.float32]:
    """Return what a bundle says of the next token behind each of some: ``(64, V)``."""
    from edge_sdk.bundle import open_bundle
    from edge_sdk.memory import Loader, bundle_parts
    from edge_sdk.pipeline.decoder import Decoder
    from edge_sdk.runtime import WeightCache

    with open_bundle(bundle) as opened:
        parts = bundle_parts(opened, threads=threads, weight_cache=WeightCache(cache))
        tokens = random.Random(7).choices(range(5, opened.tokenizer().vocab_size), k=SCORED)
        with Loader(parts) as loader:
            decoder = Decoder(opened, loader.acquire)
            return np.stack([decoder.step(token).copy() for token in tokens])


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="135m", help="its bundles are build/bundles/SHAPE and SHAPE-int4.litertlm")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=min(4, len(os.sched_getaffinity(0))))
    parser.add_argument("--short", action="store_true", help="a tiny shape, made for it, and one turn of 16 tokens")
    asked = parser.parse_args()
    turns, answer = (1, 16) if asked.short else (asked.turns, ANSWER)
    with tempfile.TemporaryDirectory() as scratch:
        shape, folder = ("tiny", Path(scratch)) if asked.short else (asked.shape, FOLDER)
        bundles = {"int8": folder / f"{shape}.litertlm", "int4": folder / f"{shape}-int4.litertlm"}
        if asked.short:
            from make_bundles import make  # needs PyTorch, which no other form does

            for bundle in bundles.values():
                make(bundle.stem, folder)
        for bundle in bundles.values():
            if not bundle.exists():
                raise SystemExit(f"{bundle} is not there: python benchmarks/make_bundles.py {bundle.stem}")
        result = compare(bundles, turns, asked.threads, answer)
    result |= {"shape": shape, "turns": turns, "threads": asked.threads, "bars": BARS}
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["ratio"] | result["scores"]))


if __name__ == "__main__":
    main()
