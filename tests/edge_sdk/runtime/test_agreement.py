"""When two engines count as giving the same answer."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.runtime.agreement import TOLERANCE, check_inputs, disagreement
from edge_sdk.runtime.model import Array, TensorSpec


def answers(kind: str, scale: float = 100.0) -> list[Array]:
    generator = np.random.default_rng(5)
    return [(generator.normal(size=(1, 40)) * scale).astype(kind) for _ in range(4)]


@pytest.mark.parametrize("kind", ["float32", "int16", "int64"])
def test_the_same_answer_is_no_distance_away(kind: str) -> None:
    assert disagreement(answers(kind), answers(kind)) == 0


@pytest.mark.parametrize("scale", [3.0, 100.0, 1000.0])
def test_an_answer_that_does_not_depend_on_the_input_never_passes(scale: float) -> None:
    right = answers("int16", scale)
    best = np.mean(right, 0).astype("int16")  # nothing that is constant comes closer
    for constant in (best, np.zeros_like(best), right[0]):
        apart = disagreement(right, [constant] * 4)
        assert apart is not None
        assert apart > 2 * TOLERANCE


def test_one_step_of_rounding_passes() -> None:
    right = answers("int16")
    apart = disagreement(right, [part + 1 for part in right])
    assert apart is not None
    assert apart < TOLERANCE


def test_answers_that_never_change_tell_nothing_unless_they_differ() -> None:
    same = [np.full((1, 5), 7, np.int64)] * 4
    assert disagreement(same, same) is None
    assert disagreement(same, [part + 1 for part in same]) == float("inf")


def test_another_shape_is_another_answer() -> None:
    assert disagreement(answers("float32"), [part[:, :3] for part in answers("float32")]) == float("inf")


def test_answers_that_are_not_numbers_are_not_taken_for_right() -> None:
    right = answers("float32")
    apart = disagreement(right, [np.full_like(part, np.nan) for part in right])
    assert apart is not None
    assert apart > TOLERANCE


def test_an_empty_output_tells_nothing() -> None:
    assert disagreement([np.zeros((0, 4))] * 4, [np.zeros((0, 4))] * 4) is None


def test_check_inputs_are_the_same_every_time_and_fill_their_type() -> None:
    specs = [TensorSpec("picture", (1, 50, 70, 3), np.dtype("uint8")), TensorSpec("tokens", (1, 9), np.dtype("int32"))]
    once, again = check_inputs(specs), check_inputs(specs)
    for one, two in zip(once, again, strict=True):
        for spec, left, right in zip(specs, one, two, strict=True):
            assert (left.shape, left.dtype) == (spec.shape, spec.dtype)
            np.testing.assert_array_equal(left, right)
    assert all(np.ptp(arrays[0]) > 200 for arrays in once)
    assert all(arrays[1].max() < 4 for arrays in once)


def test_flags_and_floats_get_values_of_their_range() -> None:
    specs = [TensorSpec("flag", (20,), np.dtype(bool)), TensorSpec("picture", (1, 40, 40, 1), np.dtype("float32"))]
    for flags, values in check_inputs(specs):
        assert flags.dtype == bool
        assert -1 <= values.min() < 0 < values.max() <= 1
