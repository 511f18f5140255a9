from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sdk.pipeline.centre import CentreFinder, CentreRule, find_centres
from edge_sdk.runtime import Quantization

RULE = CentreRule((0.3, 0.3, 0.3), (0.5, 0.5, 0.5))


def bump(scores: NDArray[np.float32], kind: int, x: float, y: float, height: float = 0.9, wide: float = 1.5) -> None:
    """Draw a Gaussian with its top at grid place (x, y), where 0.5 is the middle of the first cell."""
    steps = np.arange(scores.shape[0], dtype=np.float32) + 0.5
    hill = np.exp(-0.5 * (((steps - y) / wide)[:, None] ** 2 + ((steps - x) / wide)[None] ** 2))
    np.maximum(scores[..., kind], height * hill, out=scores[..., kind])


def maps(side: float = 0.1) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return np.zeros((72, 72, 3), np.float32), np.full((72, 72, 2), side, np.float32)


def test_an_empty_map_has_no_cells() -> None:
    found = find_centres(*maps(), RULE)
    assert len(found) == 0
    assert found.place.shape == found.side.shape == (0, 2)


def test_each_bump_is_one_cell_of_its_class_with_its_score_and_box() -> None:
    scores, sizes = maps()
    bump(scores, 0, 10.5, 20.5, 0.8)
    bump(scores, 2, 60.5, 5.5, 0.95)
    sizes[5, 60] = 0.05, 0.07
    found = find_centres(scores, sizes, RULE)
    assert found.kind.tolist() == [2, 0]
    assert found.score == pytest.approx([0.95, 0.8])
    assert found.side[0] == pytest.approx([0.05, 0.07])


@pytest.mark.parametrize("shift", [-0.4, -0.2, 0.0, 0.3])
def test_a_centre_is_placed_between_cells_of_the_grid(shift: float) -> None:
    scores, sizes = maps()
    bump(scores, 1, 30.5 + shift, 40.5 - shift)
    found = find_centres(scores, sizes, RULE)
    # The 3x3 mean shrinks the shift, but must be nearer than the grid cell's middle is.
    error = np.abs(found.place[0] * 72 - [30.5 + shift, 40.5 - shift]).max()
    assert error <= max(0.75 * abs(shift), 1e-4)


def test_a_bump_below_its_class_threshold_is_no_cell() -> None:
    scores, sizes = maps()
    bump(scores, 0, 10.5, 10.5, 0.4)
    bump(scores, 1, 40.5, 40.5, 0.4)
    assert find_centres(scores, sizes, CentreRule((0.5, 0.3, 0.3), RULE.radii)).kind.tolist() == [1]


def test_of_two_near_bumps_the_better_stays_within_the_radius_of_its_class() -> None:
    scores, sizes = maps(side=0.2)
    for kind in (0, 1):
        bump(scores, kind, 30.5, 30.5, 0.9)
        bump(scores, kind, 36.5, 30.5, 0.8)
    # 6 cells of 72 apart, where half a box side is 7.2 cells and a quarter 3.6.
    found = find_centres(scores, sizes, CentreRule((0.3,) * 3, (0.5, 0.25, 0.5)))
    assert sorted(found.kind.tolist()) == [0, 1, 1]
    assert found.score[found.kind == 0] == pytest.approx([0.9])


def test_a_dropped_peak_drops_no_other() -> None:
    scores, sizes = maps(side=0.2)
    for x, height in ((20.5, 0.9), (26.5, 0.8), (32.5, 0.7)):
        bump(scores, 1, x, 30.5, height)
    found = find_centres(scores, sizes, RULE)
    assert found.score == pytest.approx([0.9, 0.7])


def test_a_plateau_is_one_cell() -> None:
    scores, sizes = maps()
    scores[30:33, 40:43, 1] = 0.996
    found = find_centres(scores, sizes, RULE)
    assert len(found) == 1
    assert np.abs(found.place[0] * 72 - [41.5, 31.5]).max() <= 1.0


def test_cells_at_the_edge_stay_inside_the_picture() -> None:
    scores, sizes = maps()
    scores[0, 0, 0] = scores[71, 71, 0] = 0.9
    found = find_centres(scores, sizes, RULE)
    assert len(found) == 2
    assert (found.place >= 0).all()
    assert (found.place <= 1).all()


def test_cells_come_best_first() -> None:
    rng = np.random.default_rng(4)
    scores, sizes = maps(side=0.03)
    for x, y in rng.uniform(3, 69, (25, 2)):
        bump(scores, int(rng.integers(3)), x, y, float(rng.uniform(0.4, 0.99)), 0.8)
    found = find_centres(scores, sizes, RULE)
    assert len(found) > 10
    assert (np.diff(found.score) <= 0).all()


def test_a_map_of_noise_gives_a_bounded_number_of_cells() -> None:
    rng = np.random.default_rng(5)
    scores = rng.random((72, 72, 3), dtype=np.float32)
    found = find_centres(scores, np.full((72, 72, 2), 0.001, np.float32), CentreRule((0.0,) * 3, (0.5,) * 3))
    assert 0 < len(found) <= 600
    assert found.score.min() > 0.9


def test_turning_the_map_turns_the_cells() -> None:
    rng = np.random.default_rng(6)
    scores, sizes = maps()
    for x, y in rng.uniform(5, 67, (12, 2)):
        bump(scores, 1, x, y, float(rng.uniform(0.5, 0.99)))
    straight = find_centres(scores, sizes, RULE)
    turned = find_centres(np.ascontiguousarray(scores[:, ::-1]), sizes, RULE)
    mirrored = straight.place * [-1, 1] + [1, 0]
    assert turned.place == pytest.approx(mirrored, abs=1e-5)


@pytest.mark.parametrize(("dtype", "zero_point"), [(np.int8, -128), (np.uint8, 0)])
def test_maps_of_8_bits_give_the_cells_that_their_real_values_give(dtype: type, zero_point: int) -> None:
    rng = np.random.default_rng(7)
    scores, sizes = maps()
    for x, y in rng.uniform(0.5, 71.5, (30, 2)):
        bump(scores, int(rng.integers(3)), x, y, float(rng.uniform(0.2, 0.99)))
    told = Quantization(1 / 256, zero_point)
    stored = [(np.rint(values * 256) + zero_point).astype(dtype) for values in (scores, sizes)]
    finder = CentreFinder(RULE, scores.shape, dtype=dtype, scores=told, sizes=told)
    found = finder.find(*stored)
    real = [(values.astype(np.float32) - zero_point) / 256 for values in stored]
    wanted = find_centres(*real, RULE)
    assert len(found) > 10
    assert found.kind.tolist() == wanted.kind.tolist()
    assert found.score == pytest.approx(wanted.score)
    assert found.place == pytest.approx(wanted.place, abs=1e-5)
    assert found.side == pytest.approx(wanted.side)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 77 / 256, 0.999, 1.0])
def test_a_threshold_in_8_bits_lets_no_lesser_score_pass(threshold: float) -> None:
    scores = np.full((72, 72, 1), -128, np.int8)
    scores[::4, ::4, 0].flat[:256] = np.arange(-128, 128)[: scores[::4, ::4].size]
    told = Quantization(1 / 256, -128)
    finder = CentreFinder(CentreRule((threshold,), (0.5,)), scores.shape, dtype=np.int8, scores=told, sizes=told)
    found = finder.find(scores, np.full((72, 72, 2), -127, np.int8))
    assert len(found) > 0
    assert found.score.min() >= min(threshold, 255 / 256)
    assert found.score.min() < threshold + 1 / 256
