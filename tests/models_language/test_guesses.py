"""A decoder written here, in the real engine: neither cuts, nor guesses, nor kept beginnings change a number."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_sdk.pipeline.answer import State
from edge_sdk.pipeline.binding import BoundRun
from edge_sdk.pipeline.decoder import Decoder
from edge_sdk.pipeline.generation import draw
from edge_sdk.pipeline.kv_cache import Stage, tokens
from edge_sdk.pipeline.pace import Pace
from edge_sdk.pipeline.prefix import Kin
from edge_sdk.pipeline.settings import Settings
from edge_sdk.runtime import Model, Signature, open_model

pytest.importorskip("flatbuffers", reason="flatbuffers is not installed")
pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")

from models.language.llama import Layer, Llama, Shape, build_step
from models.language.tflite import write_tflite
from models.language.weight import Weight, int8_weight

SHAPE = Shape(32, 64, 2, 4, 2, 8, 96, 10000.0, 1e-5)
SIZES = {
    "turned": (48, 32),
    "value": (16, 32),
    "out": (32, 32),
    "gate": (64, 32),
    "up": (64, 32),
    "down": (32, 64),
}


@pytest.fixture(scope="module", params=["litert", "interpreter"])
def model(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Model]:
    chance = np.random.default_rng(5)

    def weight(name: str, rows: int, columns: int) -> Weight:
        return int8_weight(name, chance.standard_normal((rows, columns), np.float32) * 0.2)

    table = weight("table", SHAPE.vocabulary, SHAPE.width)
    layers = tuple(
        Layer(**{name: weight(f"{name}{n}", rows, columns) for name, (rows, columns) in SIZES.items()})
        for n in range(SHAPE.layers)
    )
    llama = Llama(SHAPE, table, layers, table)
    graphs = []
    for length, prefix in ((64, "cache_64_"), (256, "")):
        graphs.append(build_step(llama, f"{prefix}decode", 1, length, speak=True))
        graphs += [build_step(llama, f"prefill_{n}", n, length, speak=False) for n in (4, 16) if not prefix]
        graphs += [build_step(llama, f"cache_{length}_prefill_{n}", n, length, speak=True, last=True) for n in (4, 16)]
        graphs.append(build_step(llama, f"cache_{length}_begin_16", 16, length, speak=True, last=True, sees=16))
        graphs += [build_step(llama, f"{prefix}verify_{n}", n, length, speak=True) for n in (4, 8)]
    path = tmp_path_factory.mktemp("written") / "it.tflite"
    write_tflite(graphs, path)
    with open_model(path, engine=request.param, threads=1) as opened:
        yield opened


class Eager(Pace):
    """Costs at which every guess is worth a run, and at which prompts are cut in ever other ways."""

    def cost(self, stage: Stage, signature: Signature) -> float:
        size = tokens(signature)
        return 0.5 + 0.01 * size + 0.001 * (size * stage.length % 7)


def decoder(model: Model, *, eager: bool = False, kin: Kin | None = None) -> Decoder:
    bundle: Any = SimpleNamespace(
        executor=None, metadata=SimpleNamespace(max_num_tokens=0), section=lambda _: SimpleNamespace(size=1 << 20)
    )
    acquire: Any = lambda *_: nullcontext(model)  # noqa: E731 - what stands for a loader
    made = Decoder(bundle, acquire, kin=kin)
    if eager:
        made.kin.pace = Eager(1)
    return made


def runs_of(one: Decoder) -> list[str]:
    """Return a list that notes which runs a decoder makes."""
    made, call = [], one._call

    def note(bound: BoundRun, items: list[Any]) -> None:
        made.append(bound.run.signature.name)
        call(bound, items)

    one._call = note  # type: ignore[method-assign]
    return made


def test_scores_are_those_of_single_steps_to_the_last_bit(model: Model) -> None:
    prompt = random.Random(1).choices(range(96), k=50)
    steps = decoder(model)
    by_steps = np.array([steps.step(token).copy() for token in prompt])
    for start in (0, 5, 17, 40):
        other = decoder(model, eager=True)
        if start:
            other.feed(prompt[:start])
        scores = other.prefill(prompt[start : start + 2]).copy()
        np.testing.assert_array_equal(scores, by_steps[start + 1])
        if start + 10 <= 50:
            np.testing.assert_array_equal(
                other.verify(prompt[start + 2 : start + 10]), by_steps[start + 2 : start + 10]
            )


@pytest.mark.parametrize("count", [3, 13, 16, 18, 37, 50, 70, 90])
def test_a_question_is_answered_by_the_runs_of_its_prompt_alone(model: Model, count: int) -> None:
    prompt = random.Random(count).choices(range(96), k=count)
    steps, whole = decoder(model), decoder(model)
    expected = [steps.step(token).copy() for token in prompt][-1]
    runs = runs_of(whole)
    np.testing.assert_array_equal(whole.prefill(prompt), expected)
    # Whatever the room that is left in the last of them: nothing is run for one token.
    ours = f"cache_{64 if count <= 64 else 256}_"
    assert all(name.startswith((ours + "begin", ours + "prefill")) for name in runs if "verify" not in name)
    assert (runs[0] == ours + "begin_16") == (count > 4)
    assert not any("begin" in name for name in runs[1:])
    np.testing.assert_array_equal(whole.step(7), steps.step(7))


def test_a_model_without_such_runs_takes_a_step_for_the_last_token(model: Model) -> None:
    prompt = random.Random(6).choices(range(96), k=33)
    whole, plain = decoder(model), decoder(model)
    known = {n: model.signatures[f"prefill_{n}"] for n in (4, 16)}
    plain._stages = [replace(plain._stages[1], prefills=known, begins={}, verifies={})]
    runs = runs_of(plain)
    np.testing.assert_array_equal(plain.prefill(prompt), whole.prefill(prompt))
    assert runs[-1] == "decode"
    assert set(runs[:-1]) == {"prefill_16"}


def test_a_prompt_begins_alike_whether_or_not_the_empty_caches_are_looked_at(model: Model) -> None:
    prompt = random.Random(9).choices(range(96), k=40)
    one, other = decoder(model), decoder(model)
    other._stages = [replace(stage, begins={}) for stage in other._stages]
    runs = runs_of(one), runs_of(other)
    np.testing.assert_array_equal(one.prefill(prompt), other.prefill(prompt))
    assert [names[0] for names in runs] == ["cache_64_begin_16", "cache_64_prefill_16"]
    assert one.caches is not None
    assert other.caches is not None
    for array, same in zip(one.caches.arrays, other.caches.arrays, strict=True):
        np.testing.assert_array_equal(array, same)


@pytest.mark.parametrize("setting", [{}, {"temperature": 0.8, "seed": 3}, {"temperature": 0.5, "top_k": 4, "seed": 1}])
def test_answers_with_guesses_are_those_of_single_steps(model: Model, setting: dict[str, Any]) -> None:
    guessed = 0
    for seed in range(6):
        prompt = random.Random(seed).choices(range(96), k=12) * 2
        texts = []
        for eager in (False, True):
            one, state = decoder(model, eager=eager), State(())
            settings = Settings(max_tokens=120, **setting)
            if not eager:
                one.__class__ = _Plain
            first = settings.sampler.pick(one.prefill(prompt))
            for token in draw(one, settings, state, first):
                state.tokens.append(token)
            texts.append(state.tokens)
            guessed += state.timings.guessed_tokens
        assert texts[0] == texts[1]
    assert guessed > 0 or setting


def test_a_kept_beginning_gives_the_scores_of_computing_it(model: Model) -> None:
    head = random.Random(2).choices(range(96), k=30)
    first = decoder(model)
    first.prefill([*head, 1])
    for end in ([2, 3], [4] * 40):
        fresh, copied = decoder(model), decoder(model, kin=first.kin)
        expected = fresh.prefill([*head, *end]).copy()
        np.testing.assert_array_equal(copied.prefill([*head, *end]), expected)
        assert (fresh.recalled, copied.recalled) == (0, 30)


class _Plain(Decoder):
    @property
    def verifies(self) -> tuple[tuple[int, float], ...]:
        return ()
