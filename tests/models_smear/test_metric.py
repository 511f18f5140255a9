from __future__ import annotations

import numpy as np
import pytest
from metric import class_scores, intervals, match, overall_f1, score

from edge_sdk.pipeline.centre import Centres


def cells(*rows: tuple[int, float, float]) -> Centres:
    """Make found cells of (class, x, y), best first."""
    kind = np.array([r[0] for r in rows], np.int64)
    place = np.array([r[1:] for r in rows], np.float32).reshape(-1, 2)
    return Centres(kind, np.linspace(0.9, 0.5, len(rows), dtype=np.float32), place, np.full_like(place, 0.1))


def boxes(*rows: tuple[int, float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 5)


def test_a_centre_inside_a_box_of_its_class_is_right() -> None:
    table = match(cells((1, 0.5, 0.5), (0, 0.1, 0.1)), boxes((1, 0.4, 0.4, 0.6, 0.6), (1, 0.0, 0.0, 0.2, 0.2)))
    assert table.tolist() == [[0, 1, 0], [1, 1, 2], [0, 0, 0]]


def test_two_centres_in_one_box_are_one_right_and_one_wrong() -> None:
    table = match(cells((1, 0.5, 0.5), (1, 0.52, 0.5)), boxes((1, 0.4, 0.4, 0.6, 0.6)))
    assert table[1].tolist() == [1, 2, 1]


def test_of_overlapping_boxes_the_one_with_the_nearest_middle_is_taken() -> None:
    pair = boxes((1, 0.0, 0.0, 0.6, 0.6), (1, 0.4, 0.4, 1.0, 1.0))
    # Were the first centre to take the wrong box, the second would find none.
    assert match(cells((1, 0.45, 0.45), (1, 0.55, 0.55)), pair)[1].tolist() == [2, 2, 2]
    assert match(cells((1, 0.55, 0.55), (1, 0.2, 0.2)), pair)[1].tolist() == [2, 2, 2]


def test_a_picture_without_cells_or_labels_is_all_zeros() -> None:
    assert not match(cells(), boxes()).any()


def test_scores_of_a_class_follow_from_its_numbers() -> None:
    # Right, found, true per picture: one too many, two missed, exact.
    table = np.array([[4, 5, 4], [3, 3, 5], [1, 1, 1]])
    got = class_scores(table)
    assert got == {
        "precision": pytest.approx(8 / 9),
        "recall": pytest.approx(8 / 10),
        "f1": pytest.approx(16 / 19),
        "count_accuracy": pytest.approx(1 - 3 / 10),
        "total_accuracy": pytest.approx(1 - 1 / 10),
        "exact_rate": pytest.approx(1 / 3),
    }


def test_a_class_that_no_picture_holds_has_no_scores() -> None:
    assert class_scores(np.array([[0, 2, 0], [0, 0, 0]])) is None


def test_a_class_of_which_nothing_is_found_scores_nought() -> None:
    got = class_scores(np.array([[0, 0, 3]]))
    assert got is not None
    assert got["precision"] == got["f1"] == got["total_accuracy"] == 0


def test_classes_are_scored_apart_and_together() -> None:
    tables = [np.array([[1, 1, 1], [2, 3, 4], [0, 0, 0]])]
    assert score(tables)["platelet"] is None
    assert overall_f1(tables) == pytest.approx(2 * 3 / (4 + 5))


def test_intervals_hold_the_score_and_are_the_same_on_every_run() -> None:
    rng = np.random.default_rng(1)
    true = rng.integers(5, 20, (40, 3))
    right = true - rng.integers(0, 3, (40, 3))
    tables = list(np.stack([right, right + rng.integers(0, 3, (40, 3)), true], axis=2))
    spans, plain = intervals(tables, draws=100), score(tables)
    assert spans == intervals(tables, draws=100)
    for name, figures in plain.items():
        assert figures is not None
        for key, value in figures.items():
            low, high = spans[name][key]
            assert low <= value <= high
            assert low < high or key == "exact_rate"
