from __future__ import annotations

import random
import threading

import pytest

from edge_sdk.errors import EdgeError
from edge_sdk.pipeline.answer import Answer, State, StopText, Timings
from edge_sdk.pipeline.seen import Seen


def _answer(pieces: list[str], state: State) -> Answer:
    def decode():  # type: ignore[no-untyped-def]
        for piece in pieces:
            state.text.append(piece)
            yield piece
        state.finish = "stop"

    return Answer(decode(), state, threading.RLock(), lambda: None)


def test_an_answer_gives_its_pieces_and_then_its_timings() -> None:
    answer = _answer(["two ", "cells"], State(seen=(Seen("a.png", 0, 1.5, 0, 1.5),)))
    with pytest.raises(EdgeError, match="not finished"):
        _ = answer.timings
    assert list(answer) == ["two ", "cells"]
    assert answer.text == "two cells"
    assert answer.timings == Timings()
    assert answer.frames == ("a.png#0",)


def test_the_text_of_an_answer_decodes_what_is_still_to_come() -> None:
    answer = _answer(["a", "b", "c"], State(seen=()))
    assert next(answer) == "a"
    assert answer.text == "abc"


def test_a_rate_needs_more_than_one_token() -> None:
    assert Timings(tokens=1, decode_s=0.0).tokens_per_s == 0.0
    assert Timings(tokens=11, decode_s=0.5).tokens_per_s == pytest.approx(20.0)


def test_a_stop_string_is_found_wherever_the_pieces_break() -> None:
    random.seed(3)
    text = "one two STOP three"
    for _ in range(200):
        cuts = sorted(random.sample(range(1, len(text)), random.randint(0, 6)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        stream = StopText(("STOP", "zzz"))
        said = ""
        for piece in pieces:
            said += stream.push(piece)
            if stream.found:
                break
        assert said == "one two "
        assert stream.found


def test_what_only_looked_like_a_stop_string_is_given_in_the_end() -> None:
    stream = StopText(("STOP",))
    assert stream.push("a STO") == "a "
    assert stream.flush() == "STO"
    assert not stream.found


def test_the_earliest_of_several_stop_strings_counts() -> None:
    stream = StopText(("late", "early"))
    assert stream.push("x early late") == "x "
