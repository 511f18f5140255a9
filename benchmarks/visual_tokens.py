"""Show how much sooner the first word comes with fewer visual tokens a frame, and what that costs in right answers.

    python benchmarks/visual_tokens.py --bundle build/bundles/360m-vision.litertlm --json OUT [--turns 7] [--short]

Every turn asks about two new frames on every rung, in another order each time, and times the second; the encoder runs
for each. A bundle whose
card has no ladder is given one here: its tokens pooled over squares where they fill a square grid, else merged. The
accuracy is that of smear's ladder, from ``models/smear/ladder.json``.
JSON: ``{"rungs": [{"tokens", "way", "first_ms", "encode_ms", "prefill_ms", "sooner": {"median", "p25", "p75"}}],
"accuracy": [...], "turns", "threads"}``; ``sooner`` is the time with all tokens over that of the rung, turn by turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

import edge_sdk as edge
from edge_sdk.bundle import Bundle, Card, FrameInput, VisualLadder, VisualRung, find_bundle, open_bundle
from edge_sdk.bundle.inspection import tokens_per_frame
from edge_sdk.memory import Loader, bundle_parts
from edge_sdk.pipeline import VisionLanguageModel
from edge_sdk.pipeline.answer import Timings
from edge_sdk.runtime import WeightCache

_ROOT = Path(__file__).resolve().parents[1]
_FIGURES = _ROOT / "models" / "smear" / "ladder.json"
_QUESTION = "What do you see?"
_SOONER, _LOSS_PERCENT = 2.0, 1.0


def open_with_ladder(path: Path, threads: int) -> VisionLanguageModel:
    """Load a bundle, and give it a ladder where it has none."""
    bundle = open_bundle(path)
    if bundle.card is None or bundle.card.visual_ladder is None:
        spec = next(iter(bundle.model("tf_lite_vision_encoder").signatures.values()))
        _, height, width, _ = next(iter(spec.inputs.values())).shape
        ladder = made_up_ladder(bundle)
        bundle.card = Card(path.stem, "answer", FrameInput(width, height), visual_ladder=ladder)
    parts = bundle_parts(bundle, threads=threads, weight_cache=WeightCache.usual())
    return VisionLanguageModel(bundle, Loader(parts))


def made_up_ladder(bundle: Bundle) -> VisualLadder:
    """Give rungs of all tokens, a quarter and a sixteenth."""
    tokens = tokens_per_frame(bundle) or 0
    side = isqrt(tokens)
    if side * side == tokens and side % 4 == 0:
        fewer = [VisualRung(tokens // 4, "pool"), VisualRung(tokens // 16, "pool")]
        return VisualLadder(side, side, (VisualRung(tokens, "all"), *fewer))
    fewer = [VisualRung(tokens // 4, "merge"), VisualRung(tokens // 16, "merge")]
    return VisualLadder(1, tokens, (VisualRung(tokens, "all"), *fewer))


def measure(path: Path, turns: int, threads: int) -> list[dict[str, Any]]:
    """Time the first word on every rung, a new frame each time."""
    rng = np.random.default_rng(5)
    took: dict[int, list[Timings]] = {}
    with open_with_ladder(path, threads) as model:
        # Of two rungs of one number the first is taken, which sees the larger picture.
        told = {rung.tokens: rung for rung in reversed(model._ladder.rungs)}
        for turn in range(-2, turns):
            order = sorted(told) if turn % 2 else sorted(told, reverse=True)
            for tokens in order:
                # The first of the two may move to another length of the cache, which opens other graphs.
                for _ in range(2):
                    frame = edge.Frame.of(rng.integers(0, 256, (480, 640, 3), np.uint8))
                    answer = model.ask(_QUESTION, frame, max_tokens=1, visual_tokens=tokens)
                    list(answer)
                if turn >= 0:
                    took.setdefault(tokens, []).append(answer.timings)
    full = [item.first_token_s for item in took[max(took)]]
    return [_row(told[tokens], took[tokens], full) for tokens in sorted(took, reverse=True)]


def _row(rung: VisualRung, timings: Sequence[Timings], full: Sequence[float]) -> dict[str, Any]:
    def median_ms(name: str) -> float:
        return round(statistics.median(getattr(item, name) for item in timings) * 1000, 2)

    ratios = [before / item.first_token_s for before, item in zip(full, timings, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return {
        "tokens": rung.tokens,
        "way": rung.way,
        "prompt_tokens": timings[0].prompt_tokens,
        "first_ms": median_ms("first_token_s"),
        "encode_ms": median_ms("encode_s"),
        "prefill_ms": median_ms("prefill_s"),
        "sooner": {"median": round(middle, 3), "p25": round(low, 3), "p75": round(high, 3)},
    }


def accuracy() -> list[dict[str, Any]]:
    """Give what smear's rungs score, as it was measured."""
    if not _FIGURES.exists():
        return []
    rows = json.loads(_FIGURES.read_text())["methods"]
    return [
        {key: row[key] for key in ("way", "tokens", "input_px", "right", "counts_right")} for row in rows if row["kept"]
    ]


def bars(rungs: Sequence[dict[str, Any]], scores: Sequence[dict[str, Any]]) -> dict[str, bool | None]:
    """Say whether a quarter of the tokens is soon enough, and right often enough; None where it was not measured."""
    quarter = next((row for row in rungs if row["tokens"] == rungs[0]["tokens"] // 4), None)
    right = {row["tokens"]: row["right"] for row in scores if row["input_px"] is None}
    most = max(right, default=0)
    loss = (right[most] - right[most // 4]) * 100 if most // 4 in right else None
    return {
        f"a quarter of the tokens is {_SOONER:g} times sooner": quarter and quarter["sooner"]["median"] >= _SOONER,
        f"it costs at most {_LOSS_PERCENT:g} point on smear": None if loss is None else loss <= _LOSS_PERCENT,
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="smear", help="a bundle's name or file")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--short", action="store_true", help="two turns, to see that it runs")
    options = parser.parse_args()
    rungs = measure(find_bundle(options.bundle), 2 if options.short else options.turns, options.threads)
    scores = accuracy()
    result = {"rungs": rungs, "accuracy": scores, "bars": bars(rungs, scores), "turns": options.turns}
    result["threads"] = options.threads
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    for row in rungs:
        times = f"{row['first_ms']:8.1f} ms, {row['sooner']['median']:.2f} times as soon"
        print(f"{row['tokens']:4} {row['way']:6} first word {times}")
    for what, held in result["bars"].items():
        print(f"{what}: {'not measured' if held is None else 'yes' if held else 'NO'}")


if __name__ == "__main__":
    main()
