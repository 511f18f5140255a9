"""What the first answer needs can be opened before there is a question."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

import edge_sdk as edge
from edge_sdk.errors import ClosedError
from edge_sdk.pipeline.rest import Rest

PHOTO = Path(edge.__file__).parent / "data/photos/smear-1.jpg"
QUESTION = "How many red blood cells are there?"
NEEDED = {"tf_lite_prefill_decode", "tf_lite_pixel_encoder", "tf_lite_vision_adapter", "tf_lite_embedder"}


def test_a_prepared_model_has_open_what_a_question_needs_and_answers_the_same() -> None:
    with edge.load("smear", threads=1) as model:
        expected = model.ask(QUESTION, PHOTO).text
    with edge.load("smear", threads=1) as model:
        model.prepare()
        assert set(model._loader.open_parts) == NEEDED
        talk = model._rest.take()
        assert talk is not None
        model._rest.put(talk)
        assert model.ask(QUESTION, PHOTO).text == expected
        assert set(model._loader.open_parts) == NEEDED
        assert model._rest.take() is talk


def test_to_prepare_again_changes_nothing() -> None:
    with edge.load("smear", threads=1) as model:
        expected = model.ask(QUESTION, PHOTO).text
        for _ in range(2):
            model.prepare()
        assert model.ask(QUESTION, PHOTO).text == expected


def test_within_a_plan_nothing_is_opened_before_it_is_needed() -> None:
    with edge.load("smear", budget="2GB") as model:
        model.prepare()
        assert model._loader.open_parts == ()


def test_what_was_closed_is_not_prepared() -> None:
    model = edge.load("smear", threads=1)
    model.close()
    with pytest.raises(ClosedError, match="was closed"):
        model.prepare()


def test_a_first_answer_loads_neither_jinja_nor_numpys_masked_arrays() -> None:
    program = (
        "import sys, edge_sdk as edge\n"
        f"with edge.load('smear', threads=1) as model: assert model.ask({QUESTION!r}, {str(PHOTO)!r}).text\n"
        "print(*sorted({'cv2', 'jinja2', 'numpy.ma', 'sentencepiece'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cv2", "sentencepiece"]


def test_a_conversation_may_be_prepared_at_any_time_until_it_is_closed() -> None:
    said = []
    for prepares in (False, True):
        with edge.load("smear", threads=1) as model, model.conversation() as talk:
            for question, frame in ((QUESTION, PHOTO), ("And platelets?", None)):
                if prepares:
                    talk.prepare()
                said.append(talk.ask(question, frame).text)
    assert said[:2] == said[2:]
    with pytest.raises(ClosedError, match="was closed"):
        talk.prepare()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_a_prepared_decoder_says_what_one_says_that_is_not(toy: Callable[..., Any], count: int) -> None:
    maker = toy()
    decoder, prompt = maker.decoder(for_good=True), [3, 5, 4, 6, 8, 9, 7] * 3
    for _ in range(2):
        decoder.prepare()
        assert maker.toy.calls == [("cache_32_prefill_16", 16), ("cache_32_decode_1", 1)]
    assert int(decoder.prefill(prompt[:count]).argmax()) == maker.toy.say(prompt[:count])
    decoder.prepare()  # in the midst of it
    assert int(decoder.step(4).argmax()) == maker.toy.say([*prompt[:count], 4])


def test_to_prepare_a_decoder_takes_nothing_from_it(toy: Callable[..., Any]) -> None:
    maker = toy(lengths=(8, 128))
    decoder, prompt = maker.decoder(for_good=True), [3, 5, 4, 6, 8] * 4
    decoder.prefill(prompt)
    decoder.prepare()
    assert int(decoder.step(4).argmax()) == maker.toy.say([*prompt, 4])
    decoder.reset(len(prompt))
    decoder.prepare()
    decoder.prefill([*prompt, 5])
    assert decoder.recalled == len(prompt)
    decoder.close()
    with pytest.raises(ClosedError, match="was closed"):
        decoder.prepare()


class Talk:
    """Stands for a conversation."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def rest(self) -> None:
        self.told.append("rest")

    def close(self) -> None:
        self.told.append("close")


def test_one_conversation_is_kept_and_closed_with_the_model() -> None:
    rest, talk, late = Rest(), Talk(), Talk()
    assert rest.take() is None
    rest.put(cast("Any", talk))
    kept: object = rest.take()
    assert kept is talk
    rest.put(cast("Any", talk))
    rest.close()
    rest.put(cast("Any", late))
    rest.close()
    assert talk.told == ["rest", "rest", "close"]
    assert late.told == ["rest"]
    assert rest.take() is None
