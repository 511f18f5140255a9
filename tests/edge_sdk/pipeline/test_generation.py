"""However tokens are guessed and checked, the answer is the one that single steps give."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from edge_sdk.pipeline.answer import State
from edge_sdk.pipeline.generation import Generation, draw
from edge_sdk.pipeline.kv_cache import Stage, tokens
from edge_sdk.pipeline.pace import Pace
from edge_sdk.pipeline.settings import Settings
from edge_sdk.runtime import Signature

MakeToy = Callable[..., Any]


class Costs(Pace):
    """A run that checks guesses costs so many steps, whatever the clock says."""

    def cost(self, stage: Stage, signature: Signature) -> float:
        size = tokens(signature)
        return {1: 1.0, 4: 1.4, 8: 2.2}.get(size, 1 + size / 10)


def answer(maker: Any, prompt: Sequence[int], count: int, settings: Settings) -> tuple[list[int], State]:
    decoder, state = maker.decoder(), State(())
    decoder.kin.pace = Costs(1)
    first = settings.sampler.pick(decoder.prefill(prompt))
    settings.max_tokens = count
    for token in draw(decoder, settings, state, first):
        state.tokens.append(token)
    assert decoder.position == len(prompt) + len(state.tokens) - 1
    return state.tokens, state


@pytest.mark.parametrize("period", [3, 7, 23, 59])
@pytest.mark.parametrize("verifies", [(2,), (4,), (4, 8)])
def test_greedy_answers_are_those_of_single_steps(toy: MakeToy, period: int, verifies: tuple[int, ...]) -> None:
    for seed in range(6):
        prompt = random.Random(seed).choices(range(3, 3 + period), k=20 + seed)
        plain, _ = answer(toy(period=period), prompt, 60, Settings())
        found, state = answer(toy(period=period, verifies=verifies), prompt, 60, Settings())
        assert found == plain == toy(period=period).toy.tell(prompt, 60)
        assert state.finish == "length"
        assert state.timings.guessed_tokens > 0 or period > 7


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_drawn_answers_are_those_of_single_steps_too(toy: MakeToy, temperature: float) -> None:
    prompt = [3, 4, 5, 6, 3, 4, 5, 6]
    for seed in range(8):
        texts = [
            answer(toy(verifies=verifies), prompt, 50, Settings(temperature=temperature, top_k=4, seed=seed))[0]
            for verifies in ((), (4, 8))
        ]
        assert texts[0] == texts[1]


def test_text_that_repeats_takes_fewer_runs(toy: MakeToy) -> None:
    maker = toy(lengths=(256,), period=3, verifies=(4, 8))
    _, state = answer(maker, [3, 4, 5] * 6, 100, Settings())
    assert len(maker.toy.calls) < 60
    assert state.timings.guessed_tokens > 50


def test_without_signatures_that_check_nothing_is_guessed(toy: MakeToy) -> None:
    maker = toy(period=3)
    _, state = answer(maker, [3, 4, 5] * 6, 40, Settings())
    assert state.timings.guessed_tokens == 0
    assert {size for _, size in maker.toy.calls[2:]} == {1}


def test_guesses_that_are_wrong_end_guessing_for_longer_and_longer(toy: MakeToy) -> None:
    maker = toy(lengths=(512,), period=7, verifies=(4,))
    decoder = maker.decoder()
    decoder.kin.pace = Costs(1)
    token = Settings().sampler.pick(decoder.prefill([3, 4, 5] * 5))
    generation = Generation(decoder, Settings().sampler, token)
    # What it reads in the text is never what follows.
    generation._text.guess = lambda most: [2] * most
    for _ in range(300):
        generation.next()
    assert generation.kept == 0
    assert generation.checked <= 3 * 15


def test_the_surer_guesses_are_the_longer_they_get(toy: MakeToy) -> None:
    maker = toy(lengths=(512,), period=3, verifies=(4, 8))
    decoder = maker.decoder()
    decoder.kin.pace = Costs(1)
    token = Settings().sampler.pick(decoder.prefill([3, 4, 5] * 5))
    del maker.toy.calls[:]
    generation = Generation(decoder, Settings().sampler, token)
    for _ in range(100):
        generation.next()
    sizes = [size for name, size in maker.toy.calls if "verify" in name]
    assert sizes[0] == 4
    assert sizes[-1] == 8


def test_the_cache_is_filled_to_its_last_place(toy: MakeToy) -> None:
    for verifies in ((), (4,), (8,)):
        found, state = answer(toy(lengths=(32,), period=3, verifies=verifies), [3, 4, 5] * 4, 100, Settings())
        assert len(found) == 32 - 12 + 1
        assert state.finish == "length"


def test_leaving_in_the_midst_of_what_was_checked_takes_the_rest_back(toy: MakeToy) -> None:
    maker = toy(period=3, verifies=(8,))
    decoder, prompt = maker.decoder(), [3, 4, 5] * 5
    token = Settings().sampler.pick(decoder.prefill(prompt))
    state = State(())
    drawn = draw(decoder, Settings(), state, token)
    for count in range(1, 12):
        state.tokens.append(next(drawn))
        if decoder.position > len(prompt) + count - 1:
            break
    drawn.close()
    assert decoder.position == len(prompt) + len(state.tokens) - 1
    follow = [6, 4, 3]
    scores = decoder.prefill([state.tokens[-1], *follow])
    assert int(scores.argmax()) == maker.toy.say([*prompt, *state.tokens, *follow])
