"""A prompt is cut into the runs that cost least, whatever they cost."""

from __future__ import annotations

import random
from functools import cache

import pytest

from edge_sdk.pipeline.chunk import Chunk, plan_chunks


def least_cost(left: int, position: int, length: int, offered: list[Chunk], *, scored: bool) -> float:
    """Try everything; a run takes as many tokens as it can, but the last one only where it has to be scored and is."""

    @cache
    def cost(left: int, position: int) -> float:
        if not left:
            return 0.0
        takes = [(chunk, min(chunk.size, left - (scored and not chunk.scored))) for chunk in offered]
        return min(
            chunk.cost + cost(left - taken, position + taken)
            for chunk, taken in takes
            if taken and position + chunk.size <= min(length, chunk.reach or length)
        )

    return cost(left, position)


@pytest.mark.parametrize("seed", range(60))
def test_no_other_runs_cost_less_and_all_tokens_are_covered_once_within_the_cache(seed: int) -> None:
    chance = random.Random(seed)
    length = chance.randint(20, 200)
    position = chance.randint(0, length - 1)
    left = chance.randint(1, length - position)
    offered = [Chunk(1, chance.uniform(0.5, 3), scored=True)]
    for size in chance.sample(range(2, 80), chance.randint(0, 4)):
        scored, reach = chance.random() < 0.5, chance.choice([None, size, size + 20, length])
        offered.append(Chunk(size, chance.uniform(0.5, size), scored=scored, reach=reach))
    scored = chance.random() < 0.5
    cost, chunks = plan_chunks(left, position, length, offered, scored=scored)
    assert cost == pytest.approx(least_cost(left, position, length, offered, scored=scored))
    assert cost == pytest.approx(sum(chunk.cost for chunk in chunks))
    assert sum(chunk.count for chunk in chunks) == left
    for chunk in chunks:
        assert 0 < chunk.count <= chunk.size <= min(length, chunk.reach or length) - position
        position += chunk.count
    assert chunks[-1].scored or not scored


def test_nothing_left_needs_no_run() -> None:
    assert plan_chunks(0, 5, 10, [Chunk(1, 1.0)]) == (0.0, [])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="6 tokens after 5 do not fit into a cache of 10"):
        plan_chunks(6, 5, 10, [Chunk(1, 1.0)])


def test_without_a_run_of_one_token_the_end_of_the_cache_cannot_be_reached() -> None:
    with pytest.raises(ValueError, match="no run of one token"):
        plan_chunks(3, 8, 11, [Chunk(4, 1.0)])
