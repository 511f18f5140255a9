"""Score every number of visual tokens, and every way to get there, on a folder of labelled pictures.

    python models/smear/evaluate_ladder.py --data FOLDER

Asks the bundle of ``export_ladder.py`` about each picture: how many cells of each class, and on what it was trained for
also the other questions that a picture answers. Beside averaging over squares (``pool``) and merging what is alike
(``merge``) stand two that a method has to beat to be kept: one token of each square left as it is (``stride``, plain
downsampling), and tokens at random places (``drop``). ``smaller N`` is a picture of N x N pixels: what an encoder with
a smaller input could see at the most, since here it is enlarged again to the size that the encoder was trained for.
Writes ``ladder.json`` beside this file, which ``export_ladder.py`` puts into the bundle, and draws the page's picture.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from answer_score import Record, questions_for, score_answers
from evaluate import boxes_of, centres_of, read_labelled
from numpy.typing import NDArray
from question import Facts, facts_of

import edge_sdk
from edge_sdk.bundle import VisualRung, sha256
from edge_sdk.pipeline import VisionLanguageModel
from edge_sdk.pipeline.visual_ladder import Ladder, TokenWish
from edge_sdk.pipeline.visual_token import Owners, average, drop, merge, pool, stride

FIGURES = Path(__file__).resolve().parent / "ladder.json"
_BUNDLE = Path(__file__).resolve().parents[2] / "build" / "smear-ladder" / "smear-ladder.litertlm"
_WAYS = ("all", "pool", "merge")
_PLAIN = ("stride", "drop")


@dataclass(frozen=True, slots=True)
class Method:
    """A way to so many tokens, of a picture that was made so small before."""

    way: str
    tokens: int
    side_px: int | None = None

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"smaller {self.side_px}" if self.side_px else self.way

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
    *(Method("merge", n) for n in (72, 36, 16, 9)),
    *(Method("stride", n) for n in (36, 16, 9)),
    *(Method("drop", n) for n in (72, 36, 16, 9)),
    *(Method("all" if n == 144 else "pool", n, px) for px in (208, 144) for n in (144, 36)),
)


class Trial(Ladder):
    """A ladder that takes the method it is told."""

    def __init__(self) -> None:
        super().__init__("trial", None)
        self.method, self.seed = METHODS[0], 0

    def choose(self, wish: TokenWish, text_tokens: int, frames: int, *, new: bool = True) -> VisualRung:
        return VisualRung(self.method.tokens, self.method.way)

    def fewer(self, tokens: NDArray[np.float32], rung: VisualRung | None) -> NDArray[np.float32]:
        return average(tokens, self.method.owners(tokens, self.seed))


def smaller(frame: edge_sdk.Frame, side_px: int | None) -> edge_sdk.Frame:
    """Give a frame of so few pixels; the very frame where none is given."""
    if side_px is None:
        return frame
    return edge_sdk.Frame.of(cv2.resize(frame.pixels, (side_px, side_px), interpolation=cv2.INTER_AREA))


def look(model: VisionLanguageModel, folder: Path, limit: int | None) -> Mapping[Method, list[Record]]:
    """Ask about every picture by every method."""
    trial = model._ladder = Trial()
    records: dict[Method, list[Record]] = defaultdict(list)
    for trial.seed, picture in enumerate(read_labelled(folder)[0][:limit]):
        frame = edge_sdk.Frame.open(picture.path)
        facts = facts_of(picture.boxes), facts_of(boxes_of(centres_of(model.count(frame))))
        for trial.method in METHODS:
            records[trial.method].extend(_asked(model, frame, picture.path.name, trial.method, facts))
        if trial.seed % 20 == 0:
            print(f"picture {trial.seed}", flush=True)
    return records


def _asked(
    model: VisionLanguageModel, frame: edge_sdk.Frame, name: str, method: Method, facts: tuple[Facts, Facts]
) -> Iterator[Record]:
    seen = smaller(frame, method.side_px)
    for question in questions_for(name):
        if question.kind == "count" or (method.way in _WAYS and method.side_px is None):
            yield Record(question, model.ask(question.text, seen).text, *facts)


def rows_of(records: Mapping[Method, Sequence[Record]]) -> list[dict[str, Any]]:
    """Make the table's rows; kept is what is the best of its number, and better than both plain methods."""
    rows = []
    for method, asked in records.items():
        scores = score_answers(asked)
        row = {"way": method.name, "tokens": method.tokens, **{k: scores[k] for k in ("right", "agree", "blind")}}
        rows.append({**row, "kinds": scores["kinds"], "kept": False})
    for row in rows:
        others = [other for other in rows if other["tokens"] == row["tokens"] and other is not row]
        rivals = [other["right"] for other in others if other["way"] in (*_WAYS, *_PLAIN)]
        row["kept"] = row["way"] in _WAYS and all(row["right"] > right for right in rivals)
    return sorted(rows, key=lambda row: (-row["tokens"], -row["right"]))


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
    pictures = rows[0]["kinds"]["count rbc"]["asked"]
    told = f"spoken counts of {pictures} validation pictures, right by the labels"
    figures = {"measured_on": told, "pictures": pictures, "bundle_sha256": sha256(args.bundle), "methods": rows}
    args.json.write_text(json.dumps(figures, indent=1) + "\n")
    for row in rows:
        shares = " ".join(f"{row[key]:.3f}" for key in ("right", "agree", "blind"))
        print(f"{row['way']:12} {row['tokens']:4} {shares} {'kept' if row['kept'] else ''}")


if __name__ == "__main__":
    main()
