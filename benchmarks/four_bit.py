"""Compare a bundle with mixed INT4 weights with the INT8 one of the same shape, in turns, each in a process of its own.

    python benchmarks/make_bundles.py 135m 135m-int4
    python benchmarks/four_bit.py --json OUT [--shape 135m] [--recipe int4] [--turns 7] [--threads 2] [--short]

Each turn loads from a warm weight cache, takes 128 tokens of prompt and gives 128 of answer, greedy, as `decode` does.
JSON: `{"int8": {...}, "int4": {...}, "ratio": {"decode", "prefill", "first_token", "load", "peak_rss"}, "together":
{"decode", "distance", "same_best"}}`; each measure with its median, least and most; beside them the bytes of the bundle
and of its weight cache. A ratio is INT4 to INT8 of the same turn, the median of those. `together` steps both in one
process, four tokens each in turn, so that what else the machine does weighs on both alike: how many times faster INT4
decodes there, and how far what the two say of the next token lies apart, as a share of its length. That is of random
weights, where errors are as large as anything; what the missing bits cost in answers is told by
`models/smear/weight_loss.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from decode import ANSWER, summary, turn

if TYPE_CHECKING:
    from edge_sdk.pipeline.decoder import Decoder

FOLDER = Path(__file__).parents[1] / "build" / "bundles"
STEPS, _GROUP = 192, 4
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
        result["together"] = together(bundles.values(), [Path(scratch, name) for name in bundles], threads)
    pairs = list(zip(found["int4"], found["int8"], strict=True))
    result["ratio"] = {
        name: round(median(four[key] / eight[key] for four, eight in pairs), 3) for name, key in RATIOS.items()
    }
    return result


def together(bundles: Iterable[Path], caches: Iterable[Path], threads: int) -> dict[str, float]:
    """Step both in this process, four tokens each in turn, the first of which only fills the processor's caches."""
    said: list[list[npt.NDArray[np.float32]]] = [[], []]
    rates: list[float] = []
    with ExitStack() as stack:
        decoders = [_decoder(stack, *place, threads) for place in zip(bundles, caches, strict=True)]
        tokens = random.Random(7).choices(range(5, len(decoders[0].step(0))), k=STEPS)
        decoders[1].step(0)
        for begin in range(0, STEPS, _GROUP):
            spent_s = [0.0, 0.0]
            for which, decoder in enumerate(decoders):
                for place, token in enumerate(tokens[begin : begin + _GROUP]):
                    start = time.perf_counter()
                    scores = decoder.step(token)
                    spent_s[which] += (time.perf_counter() - start) * (place > 0)
                    said[which].append(scores.copy())
            rates.append(spent_s[0] / spent_s[1])
    eight, four = map(np.stack, said)
    return {
        "decode": round(median(rates), 3),
        "distance": float(np.linalg.norm(four - eight) / np.linalg.norm(eight)),
        "same_best": float((four.argmax(1) == eight.argmax(1)).mean()),
    }


def _decoder(stack: ExitStack, bundle: Path, cache: Path, threads: int) -> Decoder:
    from edge_sdk.bundle import open_bundle
    from edge_sdk.memory import Loader, bundle_parts
    from edge_sdk.pipeline.decoder import Decoder
    from edge_sdk.runtime import WeightCache

    opened = stack.enter_context(open_bundle(bundle))
    loader = stack.enter_context(Loader(bundle_parts(opened, threads=threads, weight_cache=WeightCache(cache))))
    return Decoder(opened, loader.acquire)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="135m", help="its bundles are build/bundles/SHAPE and SHAPE-RECIPE.litertlm")
    parser.add_argument("--recipe", choices=("int4", "int4-32"), default="int4", help="of the 4-bit bundle")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=min(4, len(os.sched_getaffinity(0))))
    parser.add_argument("--short", action="store_true", help="a tiny shape, made for it, and one turn of 16 tokens")
    asked = parser.parse_args()
    turns, answer = (1, 16) if asked.short else (asked.turns, ANSWER)
    with tempfile.TemporaryDirectory() as scratch:
        shape, folder = ("tiny", Path(scratch)) if asked.short else (asked.shape, FOLDER)
        bundles = {"int8": folder / f"{shape}.litertlm", "int4": folder / f"{shape}-{asked.recipe}.litertlm"}
        if asked.short:
            from make_bundles import make  # needs PyTorch, which no other form does

            for bundle in bundles.values():
                make(bundle.stem, folder)
        for bundle in bundles.values():
            if not bundle.exists():
                raise SystemExit(f"{bundle} is not there: python benchmarks/make_bundles.py {bundle.stem}")
        result = compare(bundles, turns, asked.threads, answer)
    result |= {"shape": shape, "recipe": asked.recipe, "turns": turns, "threads": asked.threads, "bars": BARS}
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({"ratio": result["ratio"], "together": result["together"]}))


if __name__ == "__main__":
    main()
