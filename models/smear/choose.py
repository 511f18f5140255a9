"""Choose thresholds and radii on the held-out tenth of the training pictures."""

from __future__ import annotations

import numpy as np
from data import CLASSES, Picture
from metric import class_scores, match
from numpy.typing import NDArray

from edge_sdk.pipeline.centre import CentreRule, find_centres

Maps = tuple[NDArray[np.float32], NDArray[np.float32]]

_THRESHOLDS = np.arange(0.14, 0.72, 0.02)
_RADII = (0.3, 0.4, 0.5, 0.6, 0.75)


def choose_rule(maps: list[Maps], pictures: list[Picture]) -> tuple[CentreRule, list[float]]:
    """Search, class by class, the threshold and radius with the best sum of F1 and counting accuracies.

    Returns
    -------
    rule : CentreRule
    best : list of float
        The sum reached for each class, 3 at most.
    """
    thresholds, radii, best = [], [], []
    for kind in range(len(CLASSES)):
        found: dict[tuple[float, float], float] = {}
        for radius in _RADII:
            for threshold in _THRESHOLDS:
                found[float(threshold), radius] = _worth(maps, pictures, kind, float(threshold), radius)
        # A lone lucky setting does not carry over to other pictures: its neighbours count too.
        steady = {
            key: worth + sum(found.get(near, worth) for near in _near(key, found)) for key, worth in found.items()
        }
        key = max(steady, key=lambda k: steady[k])
        thresholds.append(round(key[0], 3))
        radii.append(key[1])
        best.append(found[key])
    return CentreRule(tuple(thresholds), tuple(radii)), best


def _near(key: tuple[float, float], found: dict[tuple[float, float], float]) -> list[tuple[float, float]]:
    same = sorted(t for t, r in found if r == key[1])
    at = same.index(key[0])
    return [(t, key[1]) for t in same[max(0, at - 2) : at + 3] if t != key[0]]


def _worth(maps: list[Maps], pictures: list[Picture], kind: int, threshold: float, radius: float) -> float:
    never = [2.0] * len(CLASSES)
    never[kind] = threshold
    rule = CentreRule(tuple(never), (radius,) * len(CLASSES))
    table = np.stack([match(find_centres(*m, rule), p.boxes)[kind] for m, p in zip(maps, pictures, strict=True)])
    scores = class_scores(table)
    if scores is None:
        return 0.0
    return scores["f1"] + scores["count_accuracy"] + 0.5 * scores["total_accuracy"]
