"""Choose thresholds and radii on the held-out tenth of the training pictures."""

from __future__ import annotations

import numpy as np
import torch
from data import CLASSES, Picture
from metric import class_scores, match
from numpy.typing import NDArray
from vision import Vision

from edge_sdk.pipeline.centre import CentreRule, find_centres

Maps = tuple[NDArray[np.float32], NDArray[np.float32]]

_THRESHOLDS = np.arange(0.2, 0.66, 0.05)
_FINE_THRESHOLDS = np.arange(0.14, 0.72, 0.02)
_RADII = (0.3, 0.4, 0.5, 0.6, 0.75)


@torch.no_grad()
def torch_maps(model: Vision, pictures: list[Picture]) -> list[Maps]:
    """Run the float network over 288 px pictures: scores ``(72, 72, 3)`` and sizes ``(72, 72, 2)`` each."""
    maps = []
    for start in range(0, len(pictures), 8):
        stack = np.stack([p.pixels for p in pictures[start : start + 8]])
        pixels = torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255
        for out in torch.sigmoid(model(pixels)[0]).permute(0, 2, 3, 1).contiguous().numpy():
            maps.append((np.ascontiguousarray(out[..., :3]), np.ascontiguousarray(out[..., 3:])))
    return maps


def choose_rule(maps: list[Maps], pictures: list[Picture], *, fine: bool = True) -> tuple[CentreRule, list[float]]:
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
            for threshold in _FINE_THRESHOLDS if fine else _THRESHOLDS:
                found[float(threshold), radius] = _worth(maps, pictures, kind, float(threshold), radius)
        # A lone lucky setting does not carry over to other pictures: its neighbours count too.
        steady = {key: worth + sum(found.get(near, worth) for near in _near(key, found)) for key, worth in found.items()}
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
    table = np.stack(
        [match(find_centres(*m, rule), p.boxes)[kind] for m, p in zip(maps, pictures, strict=True)]
    )
    scores = class_scores(table)
    if scores is None:
        return 0.0
    return scores["f1"] + scores["count_accuracy"] + 0.5 * scores["total_accuracy"]


def held_out_scores(model: Vision, pictures: list[Picture], rule: CentreRule | None = None) -> str:
    """Sum up F1 and counting accuracy per class in a line, at fixed thresholds unless a rule is given."""
    rule = rule or CentreRule((0.35,) * 3, (0.5,) * 3)
    maps = torch_maps(model, pictures)
    tables = np.stack([match(find_centres(*m, rule), p.boxes) for m, p in zip(maps, pictures, strict=True)])
    parts = []
    for kind, name in enumerate(CLASSES):
        got = class_scores(tables[:, kind]) or {"f1": 0.0, "count_accuracy": 0.0}
        parts.append(f"{name} {got['f1']:.3f}/{got['count_accuracy']:.3f}")
    return " ".join(parts)
