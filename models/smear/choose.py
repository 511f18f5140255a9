"""Choose thresholds and radii on the held-out tenth of the training pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from data import CLASSES, Boxes
from metric import class_scores, right_ones
from numpy.typing import NDArray

from edge_sdk.pipeline.centre import CentreRule, find_centres

Maps = tuple[NDArray[np.float32], NDArray[np.float32]]

_THRESHOLDS = np.arange(0.16, 0.76, 0.02)
_RADII = (0.3, 0.4, 0.5, 0.6, 0.75)
# A lone lucky threshold does not carry over to other pictures: each is judged by the mean of this many around it.
_WINDOW = 5
# Thresholds this few cells worse than the best are as good as it, and of those the middle is taken, farthest from where
# it goes wrong on either side. Chosen by judgement, as is the window: a few cells more or less are chance.
_CELLS_OF_CHANCE = 3
# What each wrong cell takes off F1 (a half at least), the counts (1) and half of the total (a half), over the number of
# cells of its class: 2.
_COST_OF_A_CELL = 2.0


def choose_rule(maps: Sequence[Maps], truth: Sequence[Boxes]) -> tuple[CentreRule, list[float]]:
    """Search, class by class, the threshold and radius that serve F1 and counting together best.

    Parameters
    ----------
    maps : sequence of (scores, sizes)
        The centre maps of each picture.
    truth : sequence of (n, 5) float32
        Its labelled boxes.

    Returns
    -------
    rule : CentreRule
    best : list of float
        What each class reached: F1, counting accuracy and half the accuracy of the total; 2.5 at most.
    """
    worth = np.stack([_worths(maps, truth, radius) for radius in _RADII], axis=1)
    pad = _WINDOW // 2
    around = np.pad(worth, ((0, 0), (0, 0), (pad, pad)), mode="edge")
    steady = np.lib.stride_tricks.sliding_window_view(around, _WINDOW, axis=2).mean(axis=3)
    numbers = np.bincount(np.concatenate(truth)[:, 0].astype(int), minlength=len(CLASSES))
    slack = _CELLS_OF_CHANCE * _COST_OF_A_CELL / np.maximum(numbers, 1)
    best = [_middle_of_the_best(table, within) for table, within in zip(steady, slack, strict=True)]
    rule = CentreRule(
        tuple(round(float(_THRESHOLDS[t]), 2) for _, t in best),
        tuple(_RADII[r] for r, _ in best),
    )
    return rule, [float(table[place]) for table, place in zip(worth, best, strict=True)]


def _middle_of_the_best(table: NDArray[np.float64], slack: float) -> tuple[int, int]:
    """Return radius and threshold: the middle of the thresholds around the best one that are within slack."""
    radius, top = (int(i) for i in np.unravel_index(table.argmax(), table.shape))
    worse = np.flatnonzero(table[radius] < table[radius, top] - slack)
    low = max((w + 1 for w in worse if w < top), default=0)
    high = min((w - 1 for w in worse if w > top), default=table.shape[1] - 1)
    return radius, int(low + high + 1) // 2


def _worths(maps: Sequence[Maps], truth: Sequence[Boxes], radius: float) -> NDArray[np.float64]:
    """Return what each class reaches at each threshold, ``(classes, thresholds)``."""
    counts = np.zeros((len(CLASSES), len(_THRESHOLDS), len(maps), 3), np.int64)
    rule = CentreRule((float(_THRESHOLDS[0]),) * len(CLASSES), (radius,) * len(CLASSES))
    for index, (pair, boxes) in enumerate(zip(maps, truth, strict=True)):
        # Peaks and matches are settled best first, so that those above a threshold do not depend on the rest.
        found = find_centres(*pair, rule)
        right = right_ones(found, boxes)
        for kind in range(len(CLASSES)):
            above = (found.score >= _THRESHOLDS[:, None]) & (found.kind == kind)
            counts[kind, :, index, 0] = (above & right).sum(axis=1)
            counts[kind, :, index, 1] = above.sum(axis=1)
            counts[kind, :, index, 2] = (boxes[:, 0] == kind).sum()
    return np.array([[_worth(table) for table in tables] for tables in counts])


def _worth(table: NDArray[np.int64]) -> float:
    scores = class_scores(table)
    if scores is None:
        return 0.0
    return scores["f1"] + scores["count_accuracy"] + 0.5 * scores["total_accuracy"]
