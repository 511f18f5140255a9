"""Show what the first word of an answer costs beyond what it must: the engine's runs that this question consists of.

    python benchmarks/first_word.py --json OUT [--turns 40] [--threads 2] [--bundle smear] [--short]

Each turn has a new frame, so that nothing is kept from the one before. In turns, who goes first changing: `ask` until
its first piece of text is there; a second question on the same frame likewise; and the bare side, which calls LiteRT's
C function for every run of encoder, adapter, embedder, prefill and decode that the first question made, recorded once
beforehand, with the same sizes and buffers. The resize of the frame, the prompt's template and its tokens are thus
on our side alone. A ratio is that of one turn; the median of those counts.

JSON: `{"first_ms", "second_ms", "bare_ms", "ratio": {"first_to_bare", "second_to_first"}, "runs", "bars"}`, each with
its median and quartiles.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from typing import Any

from bare import bare_calls, recorded_runs

import edge_sdk as edge
from edge_sdk.pipeline import VisionLanguageModel

QUESTION, SECOND = "How many white blood cells are there?", "Are there platelets?"
# What the project promises, at most.
BARS = {"first_to_bare": 1.15, "second_to_first": 0.2}


def first_word(model: VisionLanguageModel, question: str, frame: edge.Frame) -> float:
    """Ask, wait for the first piece of text, and give the milliseconds; the answer is then read to its end."""
    begin = time.perf_counter()
    answer = model.ask(question, frame)
    next(answer)
    took = (time.perf_counter() - begin) * 1000
    assert answer.text
    return took


def timed(work: Callable[[], None]) -> float:
    """Give the milliseconds that something takes."""
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def measure(bundle: str, turns: int, threads: int) -> dict[str, Any]:
    """Time the three sides on one frame after the other."""
    photos = [edge.Frame.open(path).pixels for path in sorted(_photos().glob("*.jpg"))]
    took: dict[str, list[float]] = {"first": [], "second": [], "bare": []}
    with edge.load(bundle, engine="litert", threads=threads) as model:
        for pixels in photos:  # the first questions open the sections, and learn what prompts are cut into
            first_word(model, QUESTION, edge.Frame.of(pixels))
            first_word(model, SECOND, edge.Frame.of(pixels))
        with recorded_runs() as runs:
            next(answer := model.ask(QUESTION, edge.Frame.of(photos[0])))
            needed = list(runs)
        assert answer.text
        bare = bare_calls(needed)
        for number in range(-2, turns):
            frame = edge.Frame.of(photos[number % len(photos)])  # a new one: nothing of it is kept
            before = timed(bare) if number % 2 else 0.0
            first, second = first_word(model, QUESTION, frame), first_word(model, SECOND, frame)
            if number >= 0:
                for name, value in (("first", first), ("second", second), ("bare", before or timed(bare))):
                    took[name].append(value)
    pairs = {"first_to_bare": ("first", "bare"), "second_to_first": ("second", "first")}
    ratio = {name: [a / b for a, b in zip(took[x], took[y], strict=True)] for name, (x, y) in pairs.items()}
    counted = Counter(f"{run._model.name.rpartition(' ')[2]} {run.signature.name}" for run in needed)
    return {
        **{f"{name}_ms": _spread(values) for name, values in took.items()},
        "ratio": {name: _spread(values) for name, values in ratio.items()},
        "runs": dict(counted),
        "bars": BARS,
        "turns": turns,
        "threads": threads,
    }


def _spread(values: list[float]) -> dict[str, float]:
    low, middle, high = quantiles(values, n=4)
    return {"median": round(middle, 4), "p25": round(low, 4), "p75": round(high, 4)}


def _photos() -> Path:
    return Path(edge.__file__).parent / "data" / "photos"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--bundle", default="smear")
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--short", action="store_true", help="3 turns, to see that it runs")
    options = parser.parse_args()
    result = measure(options.bundle, 3 if options.short else options.turns, options.threads)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
