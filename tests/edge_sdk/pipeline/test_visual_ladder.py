from __future__ import annotations

import logging

import numpy as np
import pytest

from edge_sdk.bundle import VisualLadder, VisualRung
from edge_sdk.errors import PromptError
from edge_sdk.frame import Frame
from edge_sdk.pipeline.visual_ladder import Ladder, TokenWish

RUNGS = (VisualRung(144, "all", 90.4), VisualRung(36, "pool", 90.1), VisualRung(20, "merge"), VisualRung(9, "pool"))
TOLD = VisualLadder(12, 12, RUNGS, "counts")


def measured(encode_s: float = 0.02, per_token_s: float = 0.001) -> Ladder:
    """Return a ladder that saw a prompt of each of two lengths, at so much a token."""
    ladder = Ladder("smear", TOLD)
    ladder.note(5.0, 9.0, 160)  # opens models
    for tokens in (160, 50):
        ladder.note(encode_s, per_token_s * tokens, tokens)
    return ladder


def test_the_most_tokens_are_taken_where_nothing_is_wanted() -> None:
    assert Ladder("smear", TOLD).choose(TokenWish(), 20, 1) == RUNGS[0]


def test_a_caller_gets_the_rung_of_that_number() -> None:
    assert Ladder("smear", TOLD).choose(TokenWish(visual_tokens=20), 20, 1) == RUNGS[2]


def test_a_number_that_is_no_rung_is_refused_and_the_rungs_are_named() -> None:
    with pytest.raises(PromptError, match="64") as error:
        Ladder("smear", TOLD).choose(TokenWish(visual_tokens=64), 20, 1)
    assert "144, 36, 20, 9" in error.value.fix


def test_a_plan_takes_away_rungs_that_it_has_no_room_for() -> None:
    ladder = Ladder("smear", TOLD, most=36)
    assert ladder.choose(TokenWish(), 20, 1) == RUNGS[1]
    with pytest.raises(PromptError, match="144") as error:
        ladder.choose(TokenWish(visual_tokens=144), 20, 1)
    assert "plan" in error.value.why


@pytest.mark.parametrize("wish", [TokenWish(visual_tokens=36), TokenWish(deadline_ms=100)])
def test_a_bundle_without_a_ladder_refuses_a_wish(wish: TokenWish) -> None:
    ladder = Ladder("plain", None)
    assert ladder.choose(TokenWish(), 20, 1) is None
    with pytest.raises(PromptError, match="plain has no ladder"):
        ladder.choose(wish, 20, 1)


@pytest.mark.parametrize(
    ("deadline_ms", "tokens"),
    [(1000, 144), (184.5, 144), (183, 36), (76.5, 36), (75, 20), (61, 20), (59, 9), (5, 9)],
)
def test_a_deadline_gets_the_most_tokens_that_are_expected_in_time(deadline_ms: float, tokens: int) -> None:
    # 20 tokens of text at 1 ms a token, 20 ms to encode.
    rung = measured().choose(TokenWish(deadline_ms=deadline_ms), 20, 1)
    assert rung is not None
    assert rung.tokens == tokens


def test_a_frame_that_was_encoded_already_leaves_more_time() -> None:
    ladder = measured(encode_s=0.5)
    new, old = (ladder.choose(TokenWish(deadline_ms=180), 20, 1, new=new) for new in (True, False))
    assert (new, old) == (RUNGS[-1], RUNGS[0])


def test_with_a_deadline_and_nothing_measured_the_fewest_are_taken() -> None:
    ladder = Ladder("smear", TOLD)
    assert ladder.choose(TokenWish(deadline_ms=1e9), 20, 1) == RUNGS[-1]
    ladder.note(1.0, 1.0, 100)
    assert ladder.expected_s(100, 1) is None  # what opened the models says nothing


def test_a_deadline_that_no_rung_keeps_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "edge_sdk"):
        assert measured().choose(TokenWish(deadline_ms=1), 20, 1) == RUNGS[-1]
    assert "deadline of 1 ms" in caplog.text


def test_what_is_expected_follows_the_latest_answer_of_that_length() -> None:
    ladder = measured()
    assert ladder.expected_s(160, 1) == pytest.approx(0.18)
    ladder.note(0.02, 0.32, 160)
    assert ladder.expected_s(160, 1) == pytest.approx(0.34)
    assert ladder.expected_s(50, 1) == pytest.approx(0.07)


def test_a_smaller_picture_is_expected_to_take_what_it_took() -> None:
    small = VisualRung(36, "pool", input_px=192)
    told = VisualLadder(12, 12, (*RUNGS[:2], small), "counts")
    ladder = Ladder("smear", told, look_small=lambda frame, side_px: np.zeros((144, 4), np.float32))
    for input_px, encode_s in ((None, 9.0), (None, 0.5), (192, 7.0), (192, 0.2)):
        ladder.note(encode_s, 0.1, 100, input_px)
    assert ladder.expected_s(100, 1) == pytest.approx(0.6)
    assert ladder.expected_s(100, 1, 192) == pytest.approx(0.3)
    assert ladder.choose(TokenWish(deadline_ms=400), 20, 1) == small


def test_a_smaller_picture_is_looked_at_by_eyes_of_its_own() -> None:
    small = VisualRung(36, "pool", input_px=192)
    tokens = np.random.default_rng(0).normal(size=(144, 4)).astype(np.float32)
    asked: list[int] = []

    def look_small(frame: Frame, side_px: int) -> np.ndarray:
        asked.append(side_px)
        return tokens

    ladder = Ladder("smear", VisualLadder(12, 12, (RUNGS[0], small), ""), look_small=look_small)
    frame = Frame.of(np.zeros((8, 8, 3), np.uint8))
    whole = ladder.see(lambda _: tokens + 1, frame, RUNGS[0])
    np.testing.assert_array_equal(whole, tokens + 1)
    assert ladder.see(lambda _: tokens + 1, frame, small).shape == (36, 4)
    assert asked == [192]


def test_rungs_of_smaller_pictures_are_left_out_where_nothing_looks_at_them() -> None:
    told = VisualLadder(12, 12, (RUNGS[0], VisualRung(36, "pool", input_px=192)), "")
    assert Ladder("smear", told).rungs == (RUNGS[0],)


def test_a_frame_seen_again_does_not_make_encoding_look_quick() -> None:
    ladder = measured(encode_s=0.2)
    ladder.note(0.0001, 0.16, 160)
    assert ladder.expected_s(160, 1) == pytest.approx(0.36)


@pytest.mark.parametrize("rung", RUNGS)
def test_tokens_become_as_few_as_the_rung_says(rung: VisualRung) -> None:
    tokens = np.random.default_rng(1).normal(size=(144, 16)).astype(np.float32)
    fewer = Ladder("smear", TOLD).fewer(tokens, rung)
    assert fewer.shape == (rung.tokens, 16)
    if rung.way == "all":
        assert fewer is tokens


def test_tokens_stay_as_they_are_without_a_rung() -> None:
    tokens = np.zeros((14, 4), np.float32)
    assert Ladder("plain", None).fewer(tokens, None) is tokens


@pytest.mark.parametrize(
    "wrong",
    [
        {"visual_tokens": 0},
        {"visual_tokens": True},
        {"visual_tokens": 36.0},
        {"deadline_ms": 0},
        {"deadline_ms": float("inf")},
        {"deadline_ms": float("nan")},
        {"deadline_ms": "soon"},
        {"visual_tokens": 36, "deadline_ms": 100},
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(PromptError, match=next(iter(wrong))):
        TokenWish(**wrong)  # type: ignore[arg-type]
