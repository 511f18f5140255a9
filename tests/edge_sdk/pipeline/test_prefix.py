"""What a prompt begins with is computed once, and the answers are those of computing all of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_sdk.pipeline.item import common, items_of

MakeToy = Callable[..., Any]


def best(scores: np.ndarray[Any, Any]) -> int:
    return int(scores.argmax())


def test_common_beginnings_are_counted_token_by_token_and_number_by_number() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    other = rows.copy()
    other[2, 1] += 1
    assert common(items_of([[1, 2], rows, [3]]), items_of([[1, 2], rows.copy(), [4]])) == 5
    assert common(items_of([[1, 2], rows, [3]]), items_of([[1, 2], other, [3]])) == 4
    assert common([7], items_of([rows])) == common(items_of([rows]), [7]) == common([], [1]) == 0


def test_embeddings_that_may_be_written_to_are_compared_as_they_were() -> None:
    rows = np.zeros((2, 3), np.float32)
    items = items_of([rows])
    rows[:] = 1
    assert common(items, items_of([rows])) == 0


def test_a_second_prompt_starts_behind_what_it_has_in_common_with_the_first(toy: MakeToy) -> None:
    maker = toy()
    decoder, head = maker.decoder(), random.Random(1).choices(range(3, 10), k=20)
    decoder.prefill([*head, 5, 5])
    decoder.start()
    del maker.toy.calls[:]
    assert best(decoder.prefill([*head, 6, 4])) == maker.toy.say([*head, 6, 4])
    assert decoder.recalled == 20
    assert sum(size for _, size in maker.toy.calls) <= 4


def test_the_same_prompt_again_runs_its_last_token_only(toy: MakeToy) -> None:
    maker = toy()
    decoder, prompt = maker.decoder(), [3, 5, 4, 6, 8]
    decoder.prefill(prompt)
    decoder.start()
    del maker.toy.calls[:]
    assert best(decoder.prefill(prompt)) == maker.toy.say(prompt)
    assert maker.toy.calls == [("cache_32_decode_1", 1)]


@pytest.mark.parametrize("halves", [(), (16,)])
def test_runs_that_score_a_prompts_last_token_answer_without_a_step(toy: MakeToy, halves: tuple[int, ...]) -> None:
    draw = random.Random(8)
    for _ in range(60):
        maker = toy(lengths=(16, 64), prefills=(4, 16), halves=halves, asked=True)
        decoder, known = maker.decoder(), []
        for _ in range(3):
            prompt = [*known[: draw.randint(0, len(known))], *draw.choices(range(3, 10), k=draw.randint(2, 30))]
            decoder.start()
            del maker.toy.calls[:]
            assert best(decoder.prefill(prompt)) == maker.toy.say(prompt)
            assert sum(size == 1 for _, size in maker.toy.calls) <= 2, "a step costs as much as a run of four, or more"
            assert best(decoder.step(5)) == maker.toy.say([*prompt, 5])
            known = prompt


def test_another_decoder_copies_what_one_has_computed_also_to_a_longer_cache(toy: MakeToy) -> None:
    maker = toy()
    head = random.Random(2).choices(range(3, 10), k=24)
    first = maker.decoder()
    first.prefill([*head, 4])
    for more in (3, 40):
        second, prompt = maker.decoder(), [*head, *[5, 6] * more]
        assert best(second.prefill(prompt)) == maker.toy.say(prompt)
        assert second.recalled == 24
        second.close()


def test_nothing_is_taken_from_a_decoder_that_was_closed_or_reset(toy: MakeToy) -> None:
    maker = toy()
    first, second = maker.decoder(), maker.decoder()
    first.prefill([3, 4, 5, 6])
    first.reset()
    second.prefill([3, 4, 5, 6])
    assert second.recalled == 0
    second.close()
    third = maker.decoder()
    third.prefill([3, 4, 5, 6])
    assert third.recalled == 0


def test_what_is_written_over_while_it_is_copied_is_not_used(toy: MakeToy, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_sdk.pipeline import decoder as module

    maker, head = toy(), [3, 4, 5, 6, 7, 8, 9, 3]
    first, second = maker.decoder(), maker.decoder()
    first.prefill([*head, 5])
    copy = module.copy_rows

    def meanwhile(*arguments: Any) -> None:
        copy(*arguments)
        first.start()
        first.prefill([9, 9, 9])

    monkeypatch.setattr(module, "copy_rows", meanwhile)
    assert best(second.prefill([*head, 6])) == maker.toy.say([*head, 6])
    assert second.recalled == 0


def test_rows_are_given_up_before_that_is_counted(toy: MakeToy) -> None:
    decoder, counted = toy().decoder(), []

    class Rows(list[Any]):
        def __delitem__(self, places: Any) -> None:
            counted.append(decoder.rewrites)
            super().__delitem__(places)

    decoder.prefill([3, 4, 5, 6])
    decoder.rows, before = Rows(decoder.rows), decoder.rewrites
    decoder.start()
    decoder.prefill([9, 9])
    assert counted[0] == before
    assert decoder.rewrites > before


def test_reset_keeps_a_beginning_in_the_shortest_cache_that_holds_it(toy: MakeToy) -> None:
    maker = toy()
    decoder, prompt = maker.decoder(), random.Random(3).choices(range(3, 10), k=40)
    decoder.prefill(prompt)
    assert "cache of 128" in repr(decoder)
    decoder.reset(keep=20)
    assert "cache of 32" in repr(decoder)
    again = [*prompt[:20], 3, 3]
    assert best(decoder.prefill(again)) == maker.toy.say(again)
    assert decoder.recalled == 20
    decoder.reset()
    decoder.prefill(again)
    assert decoder.recalled == 0


def test_a_shorter_prompt_moves_down_again(toy: MakeToy) -> None:
    maker = toy()
    decoder, prompt = maker.decoder(), random.Random(4).choices(range(3, 10), k=60)
    decoder.prefill(prompt)
    decoder.start()
    short = [*prompt[:10], 4]
    assert best(decoder.prefill(short)) == maker.toy.say(short)
    assert decoder.recalled == 10
    assert "cache of 32" in repr(decoder)


@pytest.mark.parametrize("seed", range(25))
def test_whatever_is_asked_in_whatever_order_the_answers_are_those_of_computing_all(toy: MakeToy, seed: int) -> None:
    chance = random.Random(seed)
    maker = toy(lengths=(24, 48, 96), prefills=chance.sample([2, 5, 8, 16, 20], 2), verifies=chance.choice([(), (3,)]))
    heads = [chance.choices(range(3, 10), k=chance.randint(1, 40)) for _ in range(3)]
    decoders = [maker.decoder() for _ in range(3)]
    texts: list[list[int]] = [[], [], []]
    for _ in range(30):
        place = chance.randrange(3)
        decoder, text = decoders[place], texts[place]
        more = chance.choices(range(3, 10), k=chance.randint(1, 12))
        act = chance.choice(["start", "reset", "go on", "step"])
        if len(text) + len(more) > 96 or not text or act == "start":
            decoder.start()
            text[:] = []
            more = [*chance.choice(heads), *more]
        elif act == "reset":
            decoder.reset(keep=chance.randint(0, len(text)))
            text[:] = []
        if act == "step" and text and len(text) < 96:
            text.append(more[0])
            scores = decoder.step(more[0])
        else:
            text += more
            scores = decoder.prefill(more)
        assert best(scores) == maker.toy.say(text)
        assert decoder.position == len(text)
