from __future__ import annotations

import numpy as np
import pytest
from choose import choose_rule
from metric import match
from numpy.typing import NDArray

from edge_sdk.pipeline.centre import find_centres

SIDE = 0.12


def picture(rng: np.random.Generator) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]:
    """Make maps with cells at 0.6 and over, and false peaks at 0.4 and under, of every class."""
    scores = np.zeros((72, 72, 3), np.float32)
    places = rng.permutation(36)[:20]
    rows = []
    for index, place in enumerate(places):
        x, y = 12 * (place % 6) + 6, 12 * (place // 6) + 6
        kind, true = index % 3, index % 4 != 0
        scores[y, x, kind] = rng.uniform(0.6, 0.9) if true else rng.uniform(0.2, 0.4)
        if true:
            middle = np.array([x + 0.5, y + 0.5]) / 72
            rows.append([kind, *(middle - SIDE / 2), *(middle + SIDE / 2)])
    return (scores, np.full((72, 72, 2), SIDE, np.float32)), np.array(rows, np.float32)


def test_the_thresholds_part_cells_from_false_peaks() -> None:
    rng = np.random.default_rng(3)
    maps, truth = zip(*(picture(rng) for _ in range(12)), strict=True)
    rule, best = choose_rule(maps, truth)
    assert all(0.4 < threshold <= 0.6 for threshold in rule.thresholds)
    assert best == pytest.approx([2.5, 2.5, 2.5])
    for pair, boxes in zip(maps, truth, strict=True):
        table = match(find_centres(*pair, rule), boxes)
        assert (table[:, 0] == table[:, 1]).all()
        assert (table[:, 0] == table[:, 2]).all()


def test_the_radius_joins_double_peaks_of_one_cell() -> None:
    rng = np.random.default_rng(4)
    maps, truth = zip(*(picture(rng) for _ in range(12)), strict=True)
    for scores, _ in maps:
        # A second peak 4 cells of 72 beside each: within half of a box side of 8.6, not within 0.4 of it.
        scores[:, 4:] = np.maximum(scores[:, 4:], 0.95 * scores[:, :-4])
    rule, best = choose_rule(maps, truth)
    assert min(rule.radii) >= 0.5
    assert min(best) > 2.4
