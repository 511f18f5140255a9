"""Score every number of visual tokens, and every way to get there, on a folder of labelled pictures.

    python models/smear/evaluate_ladder.py --data FOLDER

Asks the bundle of ``export_ladder.py`` the questions that a picture answers, about each picture and by every method.
Beside averaging over squares (``pool``) and merging what is alike (``merge``) stand two that a method has to beat to be
kept: one token of each square left as it is (``stride``, plain downsampling), and tokens at random places (``drop``).
All tokens, and pooled ones, are also tried on a picture of 192 x 192 pixels, which goes through an encoder of its own.
Writes ``ladder.json`` beside this file, which ``export_ladder.py`` puts into the bundle.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
from answer_score import Record, judge, questions_for, score_answers
from evaluate import boxes_of, centres_of, read_labelled
from numpy.typing import NDArray
from question import Facts, facts_of

import edge_sdk
from edge_sdk.bundle import VisualRung
from edge_sdk.pipeline import VisionLanguageModel
from edge_sdk.pipeline.vision import SmallEyes
from edge_sdk.pipeline.visual_ladder import Ladder, TokenWish
from edge_sdk.pipeline.visual_token import Owners, average, drop, merge, pool, stride

FIGURES = Path(__file__).resolve().parent / "ladder.json"
_BUNDLE = Path(__file__).resolve().parents[2] / "build" / "smear-ladder" / "smear-ladder.litertlm"
SMALL_PX = 192
_WAYS = ("all", "pool", "merge")
_PLAIN = ("stride", "drop")
_POINT = 0.01


@dataclass(frozen=True, slots=True)
class Method:
    """A way to so many tokens; ``input_px`` is the picture that a smaller encoder takes."""

    way: str
    tokens: int
    input_px: int | None = None

    def owners(self, tokens: NDArray[np.float32], seed: int) -> Owners:
        """Say what becomes of each of the 144 tokens."""
        places, side = isqrt(len(tokens)), isqrt(len(tokens) // self.tokens)
        if self.way == "merge":
            return merge(tokens, self.tokens)
        if self.way == "drop":
            return drop(len(tokens), self.tokens, seed)
        return (stride if self.way == "stride" else pool)(places, places, side)


METHODS = (
    *(Method(way, n) for way, n in (("all", 144), ("pool", 36), ("pool", 16), ("pool", 9))),
    *(Method("merge", n) for n in (72, 36, 16)),
    *(Method("stride", n) for n in (36, 16, 9)),
    *(Method("drop", n) for n in (72, 36, 16, 9)),
    *(Method("all" if n == 144 else "pool", n, SMALL_PX) for n in (144, 36, 16, 9)),
)


class Trial(Ladder):
    """A ladder that takes the method it is told."""

    def __init__(self, look_small: SmallEyes) -> None:
        super().__init__("trial", None, look_small=look_small)
        self.method, self.seed = METHODS[0], 0

    def choose(self, wish: TokenWish, text_tokens: int, frames: int, *, new: bool = True) -> VisualRung:
        return VisualRung(self.method.tokens, self.method.way, input_px=self.method.input_px)

    def fewer(self, tokens: NDArray[np.float32], rung: VisualRung | None) -> NDArray[np.float32]:
        return average(tokens, self.method.owners(tokens, self.seed))


def look(model: VisionLanguageModel, folder: Path, limit: int | None) -> Mapping[Method, list[Record]]:
    """Ask about every picture by every method."""
    trial = model._ladder = Trial(SmallEyes(model.bundle, model.name, model._loader.acquire))
    records: dict[Method, list[Record]] = defaultdict(list)
    for trial.seed, picture in enumerate(read_labelled(folder)[0][:limit]):
        frame = edge_sdk.Frame.open(picture.path)
        facts = facts_of(picture.boxes), facts_of(boxes_of(centres_of(model.count(frame))))
        for trial.method in METHODS:
            records[trial.method].extend(_asked(model, frame, picture.path.name, facts))
        if trial.seed % 20 == 0:
            print(f"picture {trial.seed}", flush=True)
    return records


def _asked(
    model: VisionLanguageModel, frame: edge_sdk.Frame, name: str, facts: tuple[Facts, Facts]
) -> Iterator[Record]:
    for question in questions_for(name):
        yield Record(question, model.ask(question.text, frame).text, *facts)


def rows_of(records: Mapping[Method, Sequence[Record]]) -> list[dict[str, Any]]:
    """Make the table's rows, the most tokens first."""
    rows = []
    for method, asked in records.items():
        scores = score_answers(asked)
        row = {"way": method.way, "tokens": method.tokens, "input_px": method.input_px}
        counts = {f"counts_{key}": scores[key] for key in ("right", "agree", "blind")}
        right = sum(judge(record.question, record.reply, record.facts) for record in asked) / len(asked)
        rows.append({**row, "right": right, **counts, "kinds": scores["kinds"]})
    rows = [{**row, "kept": is_kept(row, rows)} for row in rows]
    return sorted(rows, key=lambda row: (-row["tokens"], -(row["input_px"] or 9999), -row["right"]))


def is_kept(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a method is worth a rung: the best of its number, and not worse by a point than one with fewer."""
    if row["way"] not in _WAYS:
        return False
    others = [other for other in rows if other is not row]
    made = [other for other in others if other["way"] in _WAYS and other["input_px"] == row["input_px"]]
    rivals = [other for other in others if other["way"] in _PLAIN] + made
    return all(row["right"] > other["right"] for other in rivals if other["tokens"] == row["tokens"]) and all(
        row["right"] >= other["right"] - _POINT for other in made if other["tokens"] < row["tokens"]
    )


def main() -> None:
    """Score from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--bundle", type=Path, default=_BUNDLE)
    parser.add_argument("--json", type=Path, default=FIGURES)
    parser.add_argument("--limit", type=int, help="only so many pictures, to try it")
    args = parser.parse_args()
    with edge_sdk.load(args.bundle) as model:
        rows = rows_of(look(model, args.data, args.limit))
        decoder = sha256(model.bundle.view(model.bundle.section("tf_lite_prefill_decode"))).hexdigest()
    pictures = rows[0]["kinds"]["count rbc"]["asked"]
    told = f"{len(questions_for(''))} questions about each of {pictures} validation pictures, right by the labels"
    figures = {"measured_on": told, "pictures": pictures, "decoder_sha256": decoder, "methods": rows}
    args.json.write_text(json.dumps(figures, indent=1) + "\n")
    for row in rows:
        shares = " ".join(f"{row[key]:.3f}" for key in ("right", "counts_right", "counts_agree", "counts_blind"))
        print(f"{row['way']:7} {row['tokens']:4} {row['input_px'] or '':4} {shares} {'kept' if row['kept'] else ''}")


if __name__ == "__main__":
    main()
