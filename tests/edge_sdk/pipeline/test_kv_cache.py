"""Which of a model's signatures are used, and for what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from edge_sdk.errors import ModelError
from edge_sdk.pipeline.kv_cache import read_stages, tokens
from edge_sdk.runtime import Model, Signature, TensorSpec

MakeToy = Callable[..., Any]


def offer(toy: Model, name: str, last_row: tuple[int, ...] | None, scores: tuple[int, ...] | None) -> None:
    """Add a run of 16 tokens over caches of 32 to a toy's: one that it has, with other ends."""
    known = toy.signatures["cache_32_prefill_16"]
    float32 = np.dtype("float32")
    inputs = {**known.inputs, **({"last_row": TensorSpec("last_row", last_row, float32)} if last_row else {})}
    outputs = {**known.outputs, **({"logits": TensorSpec("logits", scores, float32)} if scores else {})}
    toy.signatures = MappingProxyType({**toy.signatures, name: Signature(name, inputs, outputs)})


def used(toy: Model, length: int) -> set[str]:
    """Return the names of a stage's runs."""
    stage = next(stage for stage in read_stages(toy, None)[0] if stage.length == length)
    runs = [*stage.prefills.items(), *stage.begins.items(), *stage.verifies.items(), (1, stage.decode)]
    assert all(tokens(run) == size for size, run in runs)
    return {run.name for _, run in runs}


def test_each_length_has_the_runs_over_its_caches(toy: MakeToy) -> None:
    model = toy(lengths=(32, 128), prefills=(4, 16), verifies=(4,)).toy
    for length in (32, 128):
        assert used(model, length) == {
            f"cache_{length}_{name}" for name in ("decode_1", "prefill_4", "prefill_16", "verify_4")
        }


def test_of_a_size_the_run_that_scores_a_question_is_taken_wherever_it_stands(toy: MakeToy) -> None:
    for name in ("a_prefill", "cache_32_prefill_16_z"):
        model = toy(lengths=(32,)).toy
        offer(model, name, (1, 1, 16), (1, 1, 64))
        assert used(model, 32) == {"cache_32_decode_1", "cache_32_prefill_4", name}


@pytest.mark.parametrize(
    ("last_row", "scores"),
    [((1, 16), (1, 1, 64)), ((1, 1, 16), (1, 1, 63)), ((1, 1, 16), (1, 16, 64)), ((1, 1, 16), None)],
    ids=["another input", "other scores", "all scores", "no scores"],
)
def test_a_run_that_takes_what_is_not_known_is_left_out(
    toy: MakeToy, last_row: tuple[int, ...], scores: tuple[int, ...] | None
) -> None:
    model = toy(lengths=(32,)).toy
    before = used(model, 32)
    offer(model, "prefill_it", last_row, scores)
    assert used(model, 32) == before


@pytest.mark.parametrize(("sees", "asked", "taken"), [(16, True, True), (32, True, False), (16, False, False)])
def test_a_run_begins_where_it_sees_as_much_as_it_fills_and_says_what_follows(
    toy: MakeToy, sees: int, asked: bool, taken: bool
) -> None:
    model = toy(lengths=(32,)).toy
    offer(model, "begin_it", (1, 1, 16) if asked else None, (1, 1, 64) if asked else None)
    reshape(model, "begin_it", "inputs", "mask", (1, 1, 16, sees))
    assert ("begin_it" in used(model, 32)) == taken


def test_guesses_are_not_checked_by_a_run_that_sees_less_than_a_step(toy: MakeToy) -> None:
    model = toy(lengths=(32,), verifies=(4,)).toy
    assert "cache_32_verify_4" in used(model, 32)
    reshape(model, "cache_32_verify_4", "inputs", "mask", (1, 1, 4, 16))
    assert "cache_32_verify_4" not in used(model, 32)


def test_nothing_but_the_start_of_a_prompt_is_run_by_what_sees_no_more(toy: MakeToy) -> None:
    maker = toy(lengths=(64,), prefills=(4, 16), asked=True)
    known = maker.toy.signatures["cache_64_prefill_16"]
    seen = replace(known.inputs["mask"], shape=(1, 1, 16, 16))
    begin = Signature("begin", MappingProxyType({**known.inputs, "mask": seen}), known.outputs)
    maker.toy.signatures = MappingProxyType({**maker.toy.signatures, "begin": begin})
    decoder, prompt = maker.decoder(), [3, 4, 5, 6] * 9
    for known_already in (0, 5):
        maker.toy.calls.clear()
        decoder.reset(keep=known_already)
        assert int(decoder.prefill(prompt).argmax()) == maker.toy.say(prompt)
        names = [name for name, _ in maker.toy.calls]
        assert names[0] == ("cache_64_prefill_16" if known_already else "begin")
        assert "begin" not in names[1:]


@pytest.mark.parametrize("missing", ["tokens", "input_pos", "mask"])
@pytest.mark.parametrize("name", ["cache_32_prefill_16", "cache_32_decode_1"])
def test_a_run_that_cannot_be_told_what_it_needs_is_left_out_for_others(toy: MakeToy, name: str, missing: str) -> None:
    maker = toy(lengths=(32, 128))
    known = maker.toy.signatures[name]
    inputs = MappingProxyType({key: spec for key, spec in known.inputs.items() if key != missing})
    maker.toy.signatures = MappingProxyType({**maker.toy.signatures, name: Signature(name, inputs, known.outputs)})
    decoder, prompt = maker.decoder(), [3, 4, 5] * 8
    assert int(decoder.prefill(prompt).argmax()) == maker.toy.say(prompt)
    assert int(decoder.step(6).argmax()) == maker.toy.say([*prompt, 6])
    assert name not in {called for called, _ in maker.toy.calls}


def test_a_run_of_one_token_that_is_told_which_to_score_scores_that(toy: MakeToy) -> None:
    maker = toy(lengths=(32,), prefills=(1, 4), asked=True)
    prompt = [3, 4, 5, 6, 7]
    assert int(maker.decoder().prefill(prompt).argmax()) == maker.toy.say(prompt)
    assert maker.toy.calls[-1] == ("cache_32_prefill_1", 1)


def test_scores_that_a_prompts_run_gives_without_being_asked_are_not_read(toy: MakeToy) -> None:
    maker = toy(lengths=(32,), prefills=(4, 16))
    offer(maker.toy, "cache_32_prefill_16", None, (1, 16, 64))
    prompt = [3, 4, 5] * 4
    maker.decoder().prefill(prompt)
    assert [size for _, size in maker.toy.calls] == [16, 1]


def reshape(model: Model, name: str, end: str, key: str, shape: tuple[int, ...]) -> None:
    """Give one end of a signature another shape; a cache, on both sides."""
    ends = {side: dict(getattr(model.signatures[name], side)) for side in ("inputs", "outputs")}
    spec = replace(ends[end][key], shape=shape)
    for side in ends.values():
        if side is ends[end] or "cache" in key:
            side[key] = spec
    changed = Signature(name, MappingProxyType(ends["inputs"]), MappingProxyType(ends["outputs"]))
    model.signatures = MappingProxyType({**model.signatures, name: changed})


@pytest.mark.parametrize(
    ("name", "end", "key", "shape"),
    [
        ("cache_32_prefill_16", "inputs", "input_pos", ()),
        ("cache_32_prefill_16", "inputs", "tokens", ()),
        ("cache_32_prefill_16", "inputs", "tokens", (2, 16)),
        ("cache_32_prefill_16", "inputs", "mask", (1, 1, 0, 32)),
        ("cache_32_decode_1", "inputs", "mask", ()),
        ("cache_32_decode_1", "inputs", "tokens", (1, 0)),
        ("cache_32_decode_1", "outputs", "logits", ()),
        ("cache_32_decode_1", "outputs", "logits", (1, 0, 64)),
        ("cache_32_decode_1", "outputs", "logits", (1, 1, 0)),
        ("cache_32_decode_1", "inputs", "cache_k", (2, 32, 1, 1)),
        ("cache_32_decode_1", "inputs", "cache_k", (1, 1, 1, 32, 2)),
    ],
)
def test_a_run_whose_ends_do_not_go_together_is_left_out_for_others(
    toy: MakeToy, name: str, end: str, key: str, shape: tuple[int, ...]
) -> None:
    maker = toy(lengths=(32, 128))
    reshape(maker.toy, name, end, key, shape)
    decoder, prompt = maker.decoder(for_good=True), [3, 4, 5] * 8
    decoder.prepare()
    assert int(decoder.prefill(prompt).argmax()) == maker.toy.say(prompt)
    for _ in range(12):
        prompt.append(maker.toy.say(prompt))
        assert int(decoder.step(prompt[-1]).argmax()) == maker.toy.say(prompt)
    assert name not in {called for called, _ in maker.toy.calls}


def test_where_no_step_is_sound_it_says_what_one_takes(toy: MakeToy) -> None:
    maker = toy(lengths=(32,))
    reshape(maker.toy, "cache_32_decode_1", "outputs", "logits", ())
    with pytest.raises(ModelError, match="no signature that decodes") as caught:
        maker.decoder()
    assert "One must take a token" in (caught.value.why or "")
