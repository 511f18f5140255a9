"""Which token comes next."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edge_sdk.errors import PromptError
from edge_sdk.pipeline.sampler import Sampler

SCORES = np.log(np.array([0.1, 0.4, 0.05, 0.3, 0.15], np.float32))


def shares(sampler: Sampler, draws: int = 4000) -> dict[int, float]:
    counts = Counter(sampler.pick(SCORES) for _ in range(draws))
    return {token: count / draws for token, count in sorted(counts.items())}


def test_greedy_takes_the_best_and_the_first_of_equals() -> None:
    assert Sampler().pick(SCORES) == 1
    assert Sampler(seed=3).pick(np.array([1, 5, 5, 0], np.float32)) == 1


def test_draws_follow_the_scores() -> None:
    found = shares(Sampler(temperature=1.0, seed=1))
    assert found == pytest.approx({0: 0.1, 1: 0.4, 2: 0.05, 3: 0.3, 4: 0.15}, abs=0.03)


def test_a_low_temperature_sharpens_and_a_high_one_flattens() -> None:
    assert shares(Sampler(temperature=0.5, seed=1))[1] == pytest.approx(0.16 / 0.285, abs=0.03)
    assert shares(Sampler(temperature=100.0, seed=1))[2] == pytest.approx(0.2, abs=0.03)


def test_top_k_keeps_the_best() -> None:
    found = shares(Sampler(temperature=1.0, top_k=2, seed=1))
    assert found == pytest.approx({1: 4 / 7, 3: 3 / 7}, abs=0.03)
    assert set(shares(Sampler(temperature=1.0, top_k=50, seed=1))) == {0, 1, 2, 3, 4}


def test_top_p_keeps_the_fewest_that_have_the_share() -> None:
    assert set(shares(Sampler(temperature=1.0, top_p=0.39, seed=1))) == {1}
    assert set(shares(Sampler(temperature=1.0, top_p=0.65, seed=1))) == {1, 3}
    assert set(shares(Sampler(temperature=1.0, top_p=0.75, seed=1))) == {1, 3, 4}
    assert set(shares(Sampler(temperature=1.0, top_p=1.0, seed=1))) == {0, 1, 2, 3, 4}


def test_a_seed_repeats_the_draws_and_another_one_does_not() -> None:
    first, second, other = (Sampler(temperature=1.0, seed=seed) for seed in (5, 5, 6))
    draws = [[sampler.pick(SCORES) for _ in range(40)] for sampler in (first, second, other)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("setting", [{"top_k": 1}, {"top_k": 40}, {"top_k": 900}, {"top_p": 0.3}, {"top_p": 0.99}, {}])
def test_of_many_tokens_the_same_are_drawn_as_by_sorting_all(setting: dict[str, float]) -> None:
    scores = (3 * np.random.default_rng(2).standard_normal(5000)).astype(np.float32)
    order = np.argsort(-scores, kind="stable")[: setting.get("top_k", 5000)]
    parts = np.exp(scores[order].astype(np.float64) / 0.8)
    kept = int(np.searchsorted(np.cumsum(parts) / parts.sum(), setting.get("top_p", 1.0))) + 1
    sampler = Sampler(temperature=0.8, seed=4, **setting)
    drawn = Counter(sampler.pick(scores) for _ in range(1500))
    assert set(drawn) <= set(order[:kept].tolist())
    likeliest = parts[:kept] / parts[:kept].sum()
    for token, share in list(zip(order.tolist(), likeliest, strict=False))[:5]:
        assert drawn[token] / 1500 == pytest.approx(share, abs=0.03)


def test_scores_are_left_as_they_are() -> None:
    scores = SCORES.copy()
    Sampler(temperature=0.7, top_k=3, top_p=0.9, seed=1).pick(scores)
    assert (scores == SCORES).all()


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(setting: dict[str, float], what: str) -> None:
    with pytest.raises(PromptError, match=what):
        Sampler(**setting)  # type: ignore[arg-type]
