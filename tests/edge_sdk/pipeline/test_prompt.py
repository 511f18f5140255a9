from __future__ import annotations

import pytest

from edge_sdk.errors import PromptError
from edge_sdk.pipeline.prompt import PictureStyle, Scissors, check_question, message, split_prompt

STYLE = PictureStyle(("<frame>", "<picture>"), "[", "]")


def test_text_alone_stays_whole() -> None:
    assert split_prompt("how many?", None, 0) == ["how many?"]


def test_each_placeholder_becomes_a_picture_with_its_own_text_around_it() -> None:
    assert split_prompt("a<frame>b<picture>c", STYLE, 2) == ["a[", 0, "]", "b[", 1, "]", "c"]


def test_two_pictures_side_by_side_keep_their_order() -> None:
    assert split_prompt("<frame><frame>", STYLE, 2) == ["[", 0, "]", "[", 1, "]"]


def test_a_question_that_holds_the_placeholder_is_refused() -> None:
    with pytest.raises(PromptError, match="2 places for frames, and there are 1"):
        split_prompt("<frame>what is <frame>?", STYLE, 1)


@pytest.mark.parametrize("question", ["", "   ", "\n\t"])
def test_an_empty_question_is_refused(question: str) -> None:
    with pytest.raises(PromptError, match="empty"):
        check_question(question, 100)


def test_a_question_that_is_no_text_is_refused() -> None:
    with pytest.raises(PromptError, match="not bytes"):
        check_question(b"how many?", 100)  # type: ignore[arg-type]


def test_a_question_longer_than_any_cache_is_refused_before_it_is_tokenized() -> None:
    with pytest.raises(PromptError, match="1000000 characters"):
        check_question("x" * 1_000_000, 100)


def test_pictures_stand_before_the_words_of_a_turn() -> None:
    assert message("why?", 0) == {"role": "user", "content": "why?"}
    assert message("why?", 1)["content"] == [{"type": "image"}, {"type": "text", "text": "why?"}]


def letters(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def test_what_is_asked_about_frame_after_frame_is_tokenized_once() -> None:
    asked: list[str] = []
    scissors = Scissors(STYLE, lambda text: asked.append(text) or letters(text))  # type: ignore[func-returns-value]
    first = scissors.cut("a<frame>b", 1)
    first.insert(0, [1])  # the caller's own
    assert scissors.cut("a<frame>b", 1) == [letters("a["), 0, letters("]"), letters("b")]
    assert asked == ["a[", "]", "b"]
    with pytest.raises(PromptError, match="1 places for frames, and there are 2"):
        scissors.cut("a<frame>b", 2)


def test_prompts_are_kept_within_bounds_and_long_ones_not_at_all() -> None:
    scissors = Scissors(None, letters)
    for number in range(40):
        scissors.cut(f"{number}", 0)
    assert scissors.cut("x" * 5000, 0) == [letters("x" * 5000)]
    assert [text for text, _ in scissors._kept] == [f"{number}" for number in range(32, 40)]
