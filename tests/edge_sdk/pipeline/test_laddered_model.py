"""A real bundle, told on its card that its visual tokens lie on a grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edge_sdk as edge
from edge_sdk.bundle import Card, FrameInput, VisualLadder, VisualRung, open_bundle
from edge_sdk.errors import BundleError, PromptError
from edge_sdk.memory import Loader, bundle_parts
from edge_sdk.pipeline import VisionLanguageModel
from edge_sdk.pipeline.vision import SmallEyes
from edge_sdk.pipeline.visual_token import average, merge

ALL, FEW = VisualRung(65, "all", 80.0), VisualRung(13, "merge", 79.5)
LADDER = VisualLadder(5, 13, (ALL, FEW), "a task")


@pytest.fixture(scope="module")
def model(material: Path) -> Iterator[VisionLanguageModel]:
    bundle = open_bundle(material / "bundles/tiny-vision.litertlm")
    spec = next(iter(bundle.model("tf_lite_vision_encoder").signatures.values()))
    _, height, width, _ = next(iter(spec.inputs.values())).shape
    bundle.card = Card("tiny", "answer", FrameInput(width, height), visual_ladder=LADDER)
    with VisionLanguageModel(bundle, Loader(bundle_parts(bundle, threads=1))) as loaded:
        yield loaded


def frame(seed: int = 0) -> edge.Frame:
    return edge.Frame.of(np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8))


def test_the_rungs_are_told(model: VisionLanguageModel) -> None:
    assert model.visual_tokens == (65, 13)


def test_an_answer_has_all_tokens_where_nothing_is_said(model: VisionLanguageModel) -> None:
    answer = model.ask("What is this?", frame(), max_tokens=4)
    assert answer.text
    assert answer.rung == ALL
    assert answer.timings.visual_tokens == 65


def test_the_caller_gets_as_few_as_wanted_and_a_shorter_prompt(model: VisionLanguageModel) -> None:
    full, few = (model.ask("What is this?", frame(), max_tokens=4, visual_tokens=n) for n in (65, 13))
    assert full.text
    assert few.text
    assert few.rung == FEW
    assert few.timings.visual_tokens == 13
    assert full.timings.prompt_tokens - few.timings.prompt_tokens == 52


def test_the_decoder_is_fed_the_merged_tokens(model: VisionLanguageModel) -> None:
    fed: list[np.ndarray] = []
    talk = model.conversation()
    prefill = talk._decoder.prefill

    def spy(*parts: object) -> object:
        fed.extend(part for part in parts if isinstance(part, np.ndarray))
        return prefill(*parts)  # type: ignore[arg-type]

    talk._decoder.prefill = spy  # type: ignore[method-assign, assignment]
    assert talk.ask("What is this?", frame(1), max_tokens=2, visual_tokens=13).text
    talk.close()
    tokens = model._eyes().tokens(frame(1))
    np.testing.assert_array_equal(fed[0], average(tokens, merge(tokens, 13)))


def test_frames_of_one_conversation_may_be_seen_on_different_rungs(model: VisionLanguageModel) -> None:
    with model.conversation() as talk:
        for seed, tokens in ((1, 13), (2, 65), (3, 13)):
            answer = talk.ask("What is this?", frame(seed), max_tokens=3, visual_tokens=tokens)
            assert answer.text
            assert answer.timings.visual_tokens == tokens


def test_a_deadline_takes_the_fewest_at_first_and_more_once_speeds_are_known(model: VisionLanguageModel) -> None:
    model._ladder.__init__("tiny", LADDER)  # type: ignore[misc]
    found = []
    for seed in range(3):
        answer = model.ask("What is this?", frame(10 + seed), max_tokens=2, deadline_ms=60_000)
        assert answer.text
        found.append(answer.rung)
    assert found == [FEW, FEW, ALL]


def test_a_question_without_a_frame_says_nothing_of_how_long_frames_take(model: VisionLanguageModel) -> None:
    model._ladder.__init__("tiny", LADDER)  # type: ignore[misc]
    assert model.ask("What can you do?", max_tokens=2).text
    assert not model._ladder._opened
    for seed in (20, 21):
        assert model._ladder.expected_s(80, 1) is None
        assert model.ask("What is this?", frame(seed), max_tokens=2).text
    assert model._ladder.expected_s(80, 1) is not None


def test_a_question_without_a_frame_has_no_rung(model: VisionLanguageModel) -> None:
    answer = model.ask("What is this?", max_tokens=2, visual_tokens=13)
    assert answer.text
    assert answer.rung is None


def test_a_number_that_is_no_rung_is_refused_before_anything_runs(model: VisionLanguageModel) -> None:
    with pytest.raises(PromptError, match="64 visual tokens"):
        model.ask("What is this?", frame(), visual_tokens=64)


def test_a_smaller_picture_that_no_section_takes_is_an_error_that_names_it(model: VisionLanguageModel) -> None:
    small = SmallEyes(model.bundle, "tiny", model._loader.acquire)
    with pytest.raises(BundleError, match="tf_lite_pixel_encoder_192"):
        small(frame(), 192)


def test_a_bundle_without_a_ladder_says_so(material: Path) -> None:
    with edge.load(material / "bundles/tiny-vision.litertlm", threads=1) as plain:
        assert plain.visual_tokens == ()
        with pytest.raises(PromptError, match="no ladder"):
            plain.ask("What is this?", frame(), deadline_ms=100)
