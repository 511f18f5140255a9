"""Real bundles with random weights: what they say means nothing, but it is the same whichever way it is asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import edge_sdk as edge
from edge_sdk.errors import Cancelled, ClosedError, PromptError, PromptTooLong
from edge_sdk.pipeline import Conversation, VisionLanguageModel

# Given with the bundle, by LiteRT-LM 0.18.1.
WHAT_IS_THIS = '2 info warnings]+)und calcund-oidlanlanlanffeins"),suneature True): info U variablesowsVX'


@pytest.fixture(scope="module", params=["litert", "interpreter"])
def model(request: pytest.FixtureRequest, material: Path) -> Iterator[VisionLanguageModel]:
    with edge.load(material / "bundles/tiny-text.litertlm", engine=request.param, threads=1) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def seeing(material: Path) -> Iterator[VisionLanguageModel]:
    with edge.load(material / "bundles/tiny-vision.litertlm", threads=1) as loaded:
        yield loaded


def test_the_greedy_answer_is_the_known_one_and_the_same_again(model: VisionLanguageModel) -> None:
    for _ in range(2):
        answer = model.ask("What is this?", max_tokens=24)
        assert answer.text == WHAT_IS_THIS
        assert answer.finish == "length"
        assert answer.timings.tokens == 24
        assert answer.timings.prompt_tokens == 6


def test_pieces_put_together_are_the_text(model: VisionLanguageModel) -> None:
    pieces = list(model.ask("count the cells", max_tokens=30))
    assert len(pieces) > 5
    assert "".join(pieces) == model.ask("count the cells", max_tokens=30).text


def test_a_stop_string_ends_the_answer_before_it(model: VisionLanguageModel) -> None:
    answer = model.ask("What is this?", max_tokens=24, stop="lanlan")
    assert answer.text == WHAT_IS_THIS[: WHAT_IS_THIS.index("lanlan")]
    assert answer.finish == "stop"


def test_a_temperature_next_to_nothing_is_greedy(model: VisionLanguageModel) -> None:
    assert model.ask("What is this?", max_tokens=24, temperature=1e-310, seed=1).text == WHAT_IS_THIS


def test_a_question_that_is_no_unicode_is_refused(model: VisionLanguageModel) -> None:
    with pytest.raises(PromptError, match="no text"):
        model.ask("a\udcff")


def test_drawing_is_repeatable_by_its_seed(model: VisionLanguageModel) -> None:
    texts = [model.ask("a", max_tokens=12, temperature=1.0, top_k=40, seed=seed).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_a_follow_up_is_answered_as_if_all_had_been_fed_at_once(model: VisionLanguageModel) -> None:
    talk = model.conversation()
    first = talk.ask("What is this?", max_tokens=6).text
    second = talk.ask(" And that?", max_tokens=6).text
    talk.close()
    # The template of this bundle adds nothing around turns, so that one prompt can say it all.
    assert model.ask(f"What is this?{first} And that?", max_tokens=6).text == second


def test_a_follow_up_feeds_only_what_is_new(model: VisionLanguageModel) -> None:
    talk = model.conversation()
    _ = talk.ask("What is this? " * 10, max_tokens=4).text
    answer = talk.ask(" And that?", max_tokens=4)
    _ = answer.text
    assert answer.timings.prompt_tokens < 10
    talk.close()


def test_answers_are_read_in_any_order(model: VisionLanguageModel) -> None:
    one, two = model.ask("What is this?", max_tokens=24), model.ask("count the cells", max_tokens=24)
    alone = model.ask("count the cells", max_tokens=24).text
    mixed = ["".join(pieces) for pieces in zip(*itertools.zip_longest(one, two, fillvalue=""), strict=True)]
    assert mixed == [WHAT_IS_THIS, alone]


def test_answers_are_read_by_several_threads_at_once(model: VisionLanguageModel) -> None:
    questions = ["What is this?", "count the cells", "a", "where?"] * 5
    alone = {question: model.ask(question, max_tokens=20).text for question in questions}
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda question: model.ask(question, max_tokens=20).text, questions))
    assert texts == [alone[question] for question in questions]


def test_asking_anew_in_a_conversation_gives_the_answer_before_up(model: VisionLanguageModel) -> None:
    with model.conversation() as talk:
        old = talk.ask("What is this?", max_tokens=24)
        said = next(old) + next(old)
        new = talk.ask(" And that?", max_tokens=6)
        first = next(new)
        with pytest.raises(Cancelled, match="another question was asked"):
            next(old)
        assert model.ask(f"What is this?{said} And that?", max_tokens=6).text == new.text
        assert new.text.startswith(first)
        assert (old.finish, new.finish) == ("cancelled", "length")


def test_what_was_said_stays_said_however_the_reader_left(model: VisionLanguageModel) -> None:
    def leave(talk: Conversation, how: str) -> str:
        answer = talk.ask("What is this?", max_tokens=24)
        said = next(answer)
        if how == "cancel":
            answer.cancel()
        elif how == "drop":
            del answer
        return said + talk.ask(" And that?", max_tokens=6).text

    texts = set()
    for how in ("cancel", "drop", "keep"):
        with model.conversation() as talk:
            texts.add(leave(talk, how))
    assert len(texts) == 1


def test_cancelling_an_old_answer_leaves_the_new_one_alone(model: VisionLanguageModel) -> None:
    with model.conversation() as talk:
        old = talk.ask("unread", max_tokens=4)
        new = talk.ask("What is this?", max_tokens=24)
        said = next(new)
        old.cancel()
        assert new.text == WHAT_IS_THIS
        assert new.text.startswith(said)


def test_a_cancelled_answer_still_tells_what_it_took(model: VisionLanguageModel) -> None:
    answer = model.ask("What is this?", max_tokens=24)
    for _ in range(4):
        next(answer)
    answer.cancel()
    assert list(answer) == []
    assert answer.timings.tokens >= 4
    assert answer.timings.decode_s > 0


def test_a_conversation_that_was_closed_says_so(model: VisionLanguageModel) -> None:
    with model.conversation() as talk:
        answer = talk.ask("What is this?", max_tokens=24)
        next(answer)
    assert "closed" in repr(talk)
    with pytest.raises(ClosedError):
        next(answer)
    with pytest.raises(ClosedError):
        talk.ask("What is this?")


def test_a_cancelled_answer_ends_and_the_next_one_is_right(model: VisionLanguageModel) -> None:
    answer = model.ask("What is this?", max_tokens=24)
    assert next(answer)
    answer.cancel()
    assert list(answer) == []
    assert answer.finish == "cancelled"
    assert model.ask("What is this?", max_tokens=24).text == WHAT_IS_THIS


def test_an_answer_that_nobody_reads_costs_the_next_one_nothing(model: VisionLanguageModel) -> None:
    talk = model.conversation()
    talk.ask("unread", max_tokens=4)
    assert talk.ask("What is this?", max_tokens=24).text == WHAT_IS_THIS
    talk.close()


def test_the_answer_ends_where_the_cache_is_full(model: VisionLanguageModel) -> None:
    answer = model.ask("What is this?")
    assert answer.text.startswith(WHAT_IS_THIS)
    assert answer.finish == "length"
    assert 500 < answer.timings.tokens + answer.timings.prompt_tokens <= 513


def test_a_prompt_longer_than_the_cache_is_refused_with_its_figures(model: VisionLanguageModel) -> None:
    with pytest.raises(PromptTooLong, match=r"needs \d+ tokens .* holds 512"):
        model.ask("count the cells " * 200)


def test_a_text_bundle_takes_no_frame(model: VisionLanguageModel) -> None:
    with pytest.raises(PromptError, match="takes no frames"):
        model.ask("What is this?", np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_tokens": 0},
        {"max_tokens": 2.5},
        {"max_tokens": "3"},
        {"temperature": -1.0},
        {"temperature": "1"},
        {"temperature": float("nan")},
        {"top_k": 0},
        {"top_k": 2.5},
        {"top_p": 1.5},
        {"seed": -1},
        {"stop": [1]},
        {"stop": None},
    ],
    ids=str,
)
def test_settings_without_sense_are_refused(model: VisionLanguageModel, wrong: dict[str, object]) -> None:
    with pytest.raises(PromptError):
        model.ask("What is this?", **wrong)  # type: ignore[arg-type]


def test_a_closed_model_says_so(material: Path) -> None:
    model = edge.load(material / "bundles/tiny-text.litertlm")
    answer = model.ask("What is this?")
    model.close()
    model.close()
    with pytest.raises(ClosedError):
        model.ask("What is this?")
    with pytest.raises(ClosedError):
        next(answer)


def test_several_frames_stand_in_one_question(seeing: VisionLanguageModel) -> None:
    dark, light = np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 250, np.uint8)
    one = seeing.ask("What is this?", dark, max_tokens=3)
    assert len(one.text) > 0
    two = seeing.ask("What is this?", [dark, light], max_tokens=3)
    assert len(two.text) > 0
    # 64 of the picture, and the one that ends it.
    assert (one.timings.visual_tokens, two.timings.visual_tokens) == (65, 130)
    assert len(two.frames) == 2


def test_more_frames_than_the_cache_holds_are_refused(seeing: VisionLanguageModel) -> None:
    with pytest.raises(PromptTooLong, match="fewer frames"):
        seeing.ask("What is this?", [np.zeros((8, 8, 3), np.uint8)] * 8)


def test_an_embedding_tells_frames_apart(seeing: VisionLanguageModel) -> None:
    dark, light = np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 250, np.uint8)
    assert seeing.embed(dark).shape == (96,)
    assert seeing.embed(dark).dtype == np.float32
    np.testing.assert_array_equal(seeing.embed(dark), seeing.embed(dark.copy()))
    assert np.abs(seeing.embed(dark) - seeing.embed(light)).max() > 1e-3


def test_a_second_question_on_a_frame_runs_only_what_is_new_and_says_the_same(material: Path) -> None:
    frame = np.random.default_rng(3).integers(0, 255, (64, 64, 3), np.uint8)
    questions = ("What is this?", "count the cells", "What is that?")
    path = material / "bundles/tiny-vision.litertlm"
    alone = []
    for question in questions:
        with edge.load(path, threads=1) as fresh:
            alone.append(fresh.ask(question, frame, max_tokens=8).text)
    with edge.load(path, threads=1) as loaded:
        shown = edge.Frame.of(frame)
        for question, text in zip(questions, alone, strict=True):
            answer = loaded.ask(question, shown, max_tokens=8)
            assert answer.text == text
            known = answer.timings.recalled_tokens
            assert known >= answer.timings.visual_tokens if question != questions[0] else known == 0


def test_another_conversation_copies_what_one_has_computed(model: VisionLanguageModel) -> None:
    question = "What is this? " * 8
    with model.conversation() as one, model.conversation() as other:
        first = one.ask(question + "a", max_tokens=5).text
        answer = other.ask(question + "a", max_tokens=5)
        assert answer.text == first
        assert answer.timings.recalled_tokens == answer.timings.prompt_tokens - 1
