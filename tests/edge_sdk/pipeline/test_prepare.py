"""What the first answer needs can be opened before there is a question."""

from __future__ import annotations

import subprocess
import sys
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
    with edge.load("smear", budget="300MB") as model:
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
