"""What is begun ahead is there sooner, and an error in it is the asker's to meet."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import edge_sdk as edge
from edge_sdk.bundle import VisualLadder, VisualRung, find_bundle, open_bundle
from edge_sdk.memory import Loader, bundle_parts
from edge_sdk.pipeline import VisionLanguageModel
from edge_sdk.pipeline import model as model_module
from edge_sdk.pipeline.ahead import begin_ahead
from edge_sdk.pipeline.vision import SmallEyes, Vision

PHOTO = Path(edge.__file__).parent / "data/photos/smear-1.jpg"
QUESTION = "How many red blood cells are there?"


def test_work_that_is_begun_ahead_is_done_on_a_thread_of_its_own() -> None:
    done: list[str] = []
    begin_ahead(lambda: done.append(threading.current_thread().name)).join()
    assert done == ["ahead"]


def test_what_fails_ahead_is_noted_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def work() -> None:
        raise OSError("the card was pulled out")

    with caplog.at_level(logging.DEBUG, "edge_sdk.pipeline.ahead"):
        begin_ahead(work).join()
    assert "the card was pulled out" in caplog.text


def test_where_no_thread_is_to_be_had_nothing_is_begun_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert not begin_ahead(lambda: done.append("")).is_alive()
    assert done == []


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Have noted what a model begins ahead."""
    threads: list[threading.Thread] = []
    monkeypatch.setattr(model_module, "begin_ahead", lambda work: threads.append(begin_ahead(work)))
    return threads


def test_the_first_question_about_a_frame_opens_what_sees_beside_the_language_model(
    begun: list[threading.Thread],
) -> None:
    with edge.load("smear", threads=1) as model:
        first = model.ask(QUESTION, PHOTO).text
        assert model.ask(QUESTION, PHOTO).text == first
    assert len(begun) == 1
    begun[0].join(timeout=10)
    assert not begun[0].is_alive()


@pytest.mark.parametrize(
    ("settings", "opened"), [({}, None), ({"visual_tokens": 36}, 192), ({"deadline_ms": 200.0}, 192)]
)
def test_the_eyes_of_the_questions_own_rung_are_opened(
    monkeypatch: pytest.MonkeyPatch, settings: Any, opened: int | None
) -> None:
    found: list[int | None] = []
    monkeypatch.setattr(Vision, "prepare", lambda vision: found.append(None))
    monkeypatch.setattr(SmallEyes, "prepare", lambda eyes, side_px: found.append(side_px))
    monkeypatch.setattr(model_module, "begin_ahead", lambda work: work())
    rungs = VisualRung(144, "all", 80.0), VisualRung(36, "pool", 79.5, input_px=192)
    bundle = open_bundle(find_bundle("smear"))
    assert bundle.card is not None
    bundle.card = replace(bundle.card, visual_ladder=VisualLadder(12, 12, rungs, "a task"))
    with VisionLanguageModel(bundle, Loader(bundle_parts(bundle, threads=1))) as model:
        model.ask(QUESTION, PHOTO, **settings)
    assert found == [opened]


def test_nothing_is_opened_ahead_for_a_question_without_a_frame_or_within_a_plan(
    begun: list[threading.Thread],
) -> None:
    with edge.load("smear", threads=1) as model:
        assert model.ask(QUESTION).text
    with edge.load("smear", budget="2GB") as model:
        assert model.ask(QUESTION, PHOTO).text
    assert begun == []


def test_a_question_is_answered_though_opening_ahead_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(vision: Vision) -> None:
        raise MemoryError

    monkeypatch.setattr(Vision, "prepare", fail)
    with edge.load("smear", threads=1) as model:
        assert model.ask(QUESTION, PHOTO).text
