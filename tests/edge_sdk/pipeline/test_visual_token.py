from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.errors import ShapeError
from edge_sdk.pipeline.visual_token import average, drop, merge, pool, stride


def tokens(count: int, width: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def test_pooled_tokens_are_the_means_of_their_squares() -> None:
    grid = tokens(24).reshape(4, 6, 8)
    pooled = average(grid.reshape(24, 8), pool(4, 6, 2)).reshape(2, 3, 8)
    for row in range(2):
        for column in range(3):
            square = grid[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(4, 8)
            np.testing.assert_allclose(pooled[row, column], square.mean(0), rtol=1e-5, atol=1e-6)


def test_pooling_twice_is_pooling_by_the_product() -> None:
    given = tokens(144)
    once = average(given, pool(12, 12, 4))
    twice = average(average(given, pool(12, 12, 2)), pool(6, 6, 2))
    np.testing.assert_allclose(once, twice, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("rows", "columns", "side"), [(4, 6, 4), (4, 6, 3), (4, 6, 0), (1, 1, 2)])
def test_squares_that_do_not_fill_the_grid_are_refused(rows: int, columns: int, side: int) -> None:
    with pytest.raises(ShapeError, match=f"{side} by {side}"):
        pool(rows, columns, side)


def test_plain_downsampling_keeps_one_token_of_each_square_as_it_is() -> None:
    given = tokens(36)
    kept = average(given, stride(6, 6, 3))
    np.testing.assert_array_equal(kept, given.reshape(6, 6, 8)[1::3, 1::3].reshape(4, 8))


def test_dropping_keeps_tokens_as_they_are_and_in_order() -> None:
    given = tokens(50)
    owners = drop(50, 12, seed=3)
    assert (np.diff(owners[owners >= 0]) == 1).all()
    np.testing.assert_array_equal(average(given, owners), given[owners >= 0])
    assert (owners != drop(50, 12, seed=4)).any()


def test_merging_leaves_as_many_tokens_as_asked() -> None:
    given = tokens(31)
    for left in (31, 30, 16, 15, 7, 2, 1):
        owners = merge(given, left)
        assert sorted(set(owners.tolist())) == list(range(left))


def test_merging_takes_what_is_alike_and_leaves_what_is_not() -> None:
    corners = np.eye(4, 8, dtype=np.float32)
    given = np.repeat(corners, 4, axis=0) + 0.01 * tokens(16)
    assert merge(given, 4).tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4


def test_a_merged_token_is_the_mean_of_all_that_went_into_it_however_many_rounds_it_took() -> None:
    given = tokens(40, seed=5)
    owners = merge(given, 5)
    for owner, token in enumerate(average(given, owners)):
        np.testing.assert_allclose(token, given[owners == owner].mean(0), rtol=1e-4, atol=1e-6)


def test_merged_tokens_stand_in_the_order_of_their_first_place() -> None:
    owners = merge(tokens(60, seed=9), 20)
    first = [int(np.flatnonzero(owners == owner)[0]) for owner in range(20)]
    assert first == sorted(first)
