"""Score the shipped bundle on a folder of labelled pictures, the float network beside INT8.

    python models/smear/evaluate.py --data FOLDER --json OUT

``FOLDER`` holds ``images/`` and, for each picture, ``labels/NAME.txt`` of YOLO rows
``class cx cy w h`` (0 white cell, 1 red cell, 2 platelet; fractions of the picture). A picture
without a label file is left out and counted.

In the JSON ``int8`` is what ``model.count()`` of the bundle finds, and ``float`` what the float
network that it was made from finds with the same thresholds and radii (null for a bundle that was
not made from the one kept beside this file). ``f1_kept`` is the part of the float F1 that INT8
keeps; ``f1_kept_own_rule`` compares with the float network at thresholds and radii of its own.
``answers`` is what the bundle says about the cells when asked, ``other_answers`` what it says to
the rest: descriptions, what it must turn down, questions without a frame.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from answer_score import (
    Record,
    other_questions_for,
    question_without_frame,
    questions_for,
    score_answers,
    score_others,
)
from data import CLASSES, SIDE_PX, Boxes, read_boxes, read_pixels
from eyes import open_eyes
from metric import Counts, intervals, match, overall_f1, score
from question import facts_of

import edge_sdk
from edge_sdk.bundle import find_bundle, sha256
from edge_sdk.errors import EdgeError
from edge_sdk.pipeline.centre import CentreRule, Centres, find_centres
from edge_sdk.pipeline.count import Count

_FLOAT = Path(__file__).resolve().parent / "float"
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture on disk and the cells that its label file names."""

    path: Path
    boxes: Boxes


def read_labelled(folder: Path) -> tuple[list[Labelled], int]:
    """List the pictures of a folder that have labels, by name, and count those that have none.

    Raises
    ------
    EdgeError
        There is no ``images`` folder, or none of its pictures has a label file.
    """
    if not (folder / "images").is_dir():
        raise EdgeError(
            f"{folder / 'images'} is not a folder.",
            why="The pictures to score are looked for there.",
            fix="Give --data a folder that holds images/ and labels/.",
        )
    paths = sorted(path for path in (folder / "images").iterdir() if path.is_file())
    pairs = [(path, folder / "labels" / f"{path.stem}.txt") for path in paths]
    labelled = [Labelled(path, read_boxes(label)) for path, label in pairs if label.is_file()]
    if not labelled:
        raise EdgeError(
            f"None of the {len(paths)} pictures in {folder / 'images'} has a label file.",
            fix=f"Put NAME.txt with rows of class cx cy w h into {folder / 'labels'}.",
        )
    return labelled, len(paths) - len(labelled)


def centres_of(count: Count) -> Centres:
    """Turn what ``count()`` gave back into classes and fractions of the frame."""
    cells = count.cells
    size = np.array([count.width_px, count.height_px], np.float32)
    return Centres(
        np.array([CLASSES.index(c.label) for c in cells], np.int64),
        np.array([c.score for c in cells], np.float32),
        np.array([(c.x_px, c.y_px) for c in cells], np.float32).reshape(-1, 2) / size,
        np.array([(c.width_px, c.height_px) for c in cells], np.float32).reshape(-1, 2) / size,
    )


def boxes_of(found: Centres) -> Boxes:
    """Turn found cells into rows like those of labels: ``class, x0, y0, x1, y1``."""
    half = found.side / 2
    kind = found.kind[:, None].astype(np.float32)
    return np.concatenate([kind, found.place - half, found.place + half], axis=1).astype(np.float32)


def own_rule(bundle_sha256: str) -> CentreRule | None:
    """Give the rule that suits the float network best; None where the bundle was not made from the one kept here."""
    origin = json.loads((_FLOAT / "origin.json").read_text())
    if origin["bundle_sha256"] != bundle_sha256:
        return None
    return CentreRule(tuple(origin["thresholds"]), tuple(origin["radii"]))


def float_tables(pictures: Sequence[Labelled], rules: Sequence[CentreRule]) -> list[list[Counts]]:
    """Match what the float network finds in each picture, by each of the rules."""
    tables: list[list[Counts]] = [[] for _ in rules]
    with open_eyes(_FLOAT / "encoder_float.tflite", _FLOAT / "cells_float.tflite") as eyes:
        for picture in _shown(pictures, "float"):
            maps = eyes.maps(read_pixels(picture.path, SIDE_PX))
            for rule, table in zip(rules, tables, strict=True):
                table.append(match(find_centres(*maps, rule), picture.boxes))
    return tables


@dataclass(frozen=True, slots=True)
class Found:
    """What a bundle found in the pictures, and what it said about the cells and to the rest."""

    tables: list[Counts] = field(default_factory=list)
    answers: list[Record] = field(default_factory=list)
    others: list[Record] = field(default_factory=list)


def look(model: Any, pictures: Sequence[Labelled], *, answers: bool) -> Found:
    """Have the bundle count the cells of each picture, and ask it about them."""
    found = Found()
    for picture in _shown(pictures, "INT8 and answers" if answers else "INT8"):
        frame, name = edge_sdk.Frame.open(picture.path), picture.path.name
        cells = centres_of(model.count(frame))
        found.tables.append(match(cells, picture.boxes))
        if answers:
            facts = facts_of(picture.boxes), facts_of(boxes_of(cells))
            for records, questions in ((found.answers, questions_for), (found.others, other_questions_for)):
                asked = questions(name)
                records.extend(Record(q, "".join(model.ask(q.text, frame)), *facts) for q in asked)
            alone = question_without_frame(name)
            found.others.append(Record(alone, "".join(model.ask(alone.text)), None, None))
    return found


def kept(full: Sequence[Counts], small: Sequence[Counts]) -> dict[str, float | None]:
    """Give the part of the float F1 that INT8 keeps, per class and over all cells."""
    first, second = score(full), score(small)
    parts: dict[str, float | None] = {}
    for name in CLASSES:
        before, after = first[name], second[name]
        parts[name] = after["f1"] / before["f1"] if before and after and before["f1"] else None
    whole = overall_f1(full)
    parts["all"] = overall_f1(small) / whole if whole else None
    return parts


def evaluate(folder: Path, bundle: str, *, answers: bool = True) -> dict[str, object]:
    """Score a folder; see the command's own description."""
    pictures, unlabelled = read_labelled(folder)
    path = find_bundle(bundle)
    digest = sha256(path)
    with edge_sdk.load(path) as model:
        classes = model.bundle.card.cells.classes
        found = look(model, pictures, answers=answers)
    rule = CentreRule(tuple(c.threshold for c in classes), tuple(c.radius_share for c in classes))
    own = own_rule(digest)
    full, best = float_tables(pictures, (rule, own)) if own else (None, None)
    small = found.tables
    return {
        "float": score(full) if full else None,
        "int8": score(small),
        "answers": score_answers(found.answers) if answers else None,
        "other_answers": score_others(found.others) if answers else None,
        "f1_kept": kept(full, small) if full else None,
        "f1_kept_own_rule": kept(best, small) if best else None,
        "intervals": {"float": intervals(full) if full else None, "int8": intervals(small)},
        "pictures": {"scored": len(pictures), "without_labels": unlabelled},
        "bundle_sha256": digest,
    }


def _shown(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Go through items and tell how far it is, on standard error."""
    for done, item in enumerate(items, 1):
        yield item
        if done % 20 == 0 or done == len(items):
            print(f"\r{what}: {done} of {len(items)}", end="\n" if done == len(items) else "", file=sys.stderr)


def _table(result: dict[str, Any]) -> Iterable[str]:
    yield f"{'':16} {'precision':>9} {'recall':>7} {'F1':>7} {'count':>7} {'total':>7} {'exact':>7}"
    for kind in ("float", "int8"):
        for name, figures in (result[kind] or {}).items():
            numbers = "  not in this folder" if figures is None else "".join(f"{v:8.3f}" for v in figures.values())
            yield f"{kind:6} {name:10}{numbers}"
    if result["float"] is None:
        yield "The float network of this bundle is not here."
    for key, what in (("f1_kept", "F1 kept by INT8"), ("f1_kept_own_rule", "at float's own rule")):
        if result[key]:
            yield f"{what}: " + ", ".join(f"{k} {v:.4f}" for k, v in result[key].items() if v is not None)
    if result["answers"]:
        spoken = {k: result["answers"].get(k) for k in ("right", "agree", "blind")}
        yield "spoken counts: " + ", ".join(f"{k} {v:.3f}" for k, v in spoken.items() if v is not None)
        yield "other answers: " + ", ".join(f"{k} {v['right']:.3f}" for k, v in result["other_answers"].items())


def main() -> int:
    """Score from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--json", type=Path, help="where to write the scores; standard output if left out")
    parser.add_argument("--bundle", default="smear", help="a bundle's name or file")
    parser.add_argument("--no-answers", action="store_true", help="score the counts alone, which is quicker")
    args = parser.parse_args()
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
    try:
        result = evaluate(args.data, args.bundle, answers=not args.no_answers)
    except EdgeError as error:
        print(error, file=sys.stderr)
        return 1
    text = json.dumps(result, indent=1) + "\n"
    if args.json:
        args.json.write_text(text)
        print("\n".join(_table(result)))
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
