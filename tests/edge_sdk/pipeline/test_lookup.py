"""Guesses come from where the text said the same before, the longest run of tokens first."""

from __future__ import annotations

import random

from edge_sdk.pipeline.lookup import Lookup


def guess(tokens: list[int], most: int) -> list[int]:
    text = Lookup()
    text.add(tokens)
    return text.guess(most)


def test_nothing_is_guessed_where_nothing_was_said_twice() -> None:
    assert guess([], 4) == guess([1], 4) == guess([1, 2, 3, 4, 1], 4) == []


def test_the_longest_run_decides_and_the_latest_place_of_it() -> None:
    assert guess([1, 2, 3, 50, 9, 2, 3, 60, 1, 2, 3], 1) == [50]
    assert guess([2, 3, 50, 9, 2, 3, 60, 1, 2, 3], 1) == [60]


def test_text_that_goes_round_is_guessed_past_its_own_end() -> None:
    assert guess([5, 6, 7, 5, 6, 7], 7) == [5, 6, 7, 5, 6, 7, 5]


def test_a_guess_is_what_followed_an_earlier_place_of_the_same_tokens() -> None:
    chance = random.Random(4)
    for _ in range(200):
        tokens = chance.choices(range(5), k=chance.randint(2, 60))
        found = guess(tokens, 3)
        places = [at for at in range(2, len(tokens)) if tokens[at - 2 : at] == tokens[-2:]]
        assert bool(found) == bool(places)
        if found:
            assert any(tokens[at] == found[0] for at in places)


def test_adding_piece_by_piece_is_the_same_as_at_once() -> None:
    tokens = random.Random(5).choices(range(4), k=80)
    text = Lookup()
    for token in tokens:
        text.add([token])
    assert text.guess(8) == guess(tokens, 8)
