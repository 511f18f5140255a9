"""Scores of found cells against labels: precision, recall, F1 and three ways to judge a count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from data import CLASSES, Boxes
from numpy.typing import NDArray

from edge_sdk.pipeline.centre import Centres

Counts = NDArray[np.int64]


def right_ones(found: Centres, boxes: Boxes) -> NDArray[np.bool_]:
    """Match cells one to one, best score first: right when the centre lies in a free true box of its class.

    Parameters
    ----------
    found : Centres
        Cells of one picture, best first.
    boxes : (n, 5) float32
        ``class, x0, y0, x1, y1`` as fractions.

    Returns
    -------
    (m,) bool
        Which of the found cells are right.
    """
    right = np.zeros(len(found), bool)
    free = np.ones(len(boxes), bool)
    middle = (boxes[:, 1:3] + boxes[:, 3:5]) / 2
    for index, (kind, place) in enumerate(zip(found.kind, found.place, strict=True)):
        inside = (place >= boxes[:, 1:3]).all(axis=1) & (place <= boxes[:, 3:5]).all(axis=1)
        fits = np.flatnonzero(inside & free & (boxes[:, 0] == kind))
        if len(fits):
            # Boxes overlap: of those that hold the centre, the one with the nearest middle is meant.
            free[fits[np.square(middle[fits] - place).sum(axis=1).argmin()]] = False
            right[index] = True
    return right


def match(found: Centres, boxes: Boxes) -> Counts:
    """Count right, found and true cells of each class in one picture, ``(3, 3) int64``; see `right_ones`."""
    kinds = (found.kind[right_ones(found, boxes)], found.kind, boxes[:, 0].astype(int))
    return np.stack([np.bincount(kind, minlength=len(CLASSES)) for kind in kinds], axis=1)


def class_scores(table: Counts) -> dict[str, float] | None:
    """Score one class over a folder.

    Parameters
    ----------
    table : (pictures, 3) int64
        Right, found and true cells of each picture.

    Returns
    -------
    dict or None
        None where the folder holds no cell of the class.
    """
    right, found, true = (int(n) for n in table.sum(axis=0))
    if true == 0:
        return None
    gap = np.abs(table[:, 1] - table[:, 2])
    return {
        "precision": right / found if found else 0.0,
        "recall": right / true,
        "f1": 2 * right / (found + true),
        "count_accuracy": 1 - float(gap.sum()) / true,
        "total_accuracy": 1 - abs(found - true) / true,
        "exact_rate": float((gap == 0).mean()),
    }


def score(tables: Sequence[Counts]) -> dict[str, dict[str, float] | None]:
    """Score every class over the pictures of a folder, from the `match` table of each."""
    stack = np.stack(tables)
    return {name: class_scores(stack[:, kind]) for kind, name in enumerate(CLASSES)}


def overall_f1(tables: Sequence[Counts]) -> float:
    """Return F1 over the cells of all classes together."""
    right, found, true = (int(n) for n in np.stack(tables).sum(axis=(0, 1)))
    return 2 * right / max(1, found + true)


def intervals(tables: Sequence[Counts], draws: int = 1000, seed: int = 5) -> dict[str, dict[str, list[float]] | None]:
    """Give the 95 % interval of each score, by drawing pictures anew with replacement.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    stack = np.stack(tables)
    rng = np.random.default_rng(seed)
    rounds = [score(list(stack[rng.integers(len(stack), size=len(stack))])) for _ in range(draws)]
    spans: dict[str, dict[str, list[float]] | None] = {}
    for name, plain in score(tables).items():
        known = [figures for figures in (drawn[name] for drawn in rounds) if figures is not None]
        spans[name] = (
            None
            if plain is None
            else {
                key: [float(v) for v in np.percentile([figures[key] for figures in known], [2.5, 97.5])]
                for key in plain
            }
        )
    return spans
