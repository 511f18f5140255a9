"""The visual side while several ask for it at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_sdk as edge
from edge_sdk.frame import Frame
from edge_sdk.pipeline import VisionLanguageModel
from edge_sdk.pipeline.preprocess import Geometry, Preprocess
from edge_sdk.runtime import Model, Run

PHOTOS = sorted((Path(edge.__file__).parent / "data/photos").glob("*.jpg"))
ADAPTER = "tf_lite_vision_adapter"
LONG_S = 60.0


@pytest.fixture
def model() -> Iterator[VisionLanguageModel]:
    with edge.load("smear", threads=1) as loaded:
        yield loaded


class Slow:
    """A run that waits to be let go, and tells when it was called."""

    def __init__(self, run: Run) -> None:
        self.inputs, self.outputs = run.inputs, run.outputs
        self._run = run
        self.called, self.go = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.called.set()
        assert self.go.wait(LONG_S)
        self._run()


def test_frames_are_counted_while_another_is_put_into_words(model: VisionLanguageModel) -> None:
    asked, counted = Frame.open(PHOTOS[0]), Frame.open(PHOTOS[1])
    expected = model._eyes().tokens(asked).copy()
    model._eyes().forget()
    eyes, run = model._eyes()._kept[ADAPTER]
    assert run is not None
    slow = Slow(run)
    model._eyes()._kept[ADAPTER] = eyes, slow  # type: ignore[assignment]
    found: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: found.append(model._eyes().tokens(asked)))
    thread.start()
    assert slow.called.wait(LONG_S)
    assert model.count(counted).totals["rbc"] > 3  # and overwrites the features that the adapter was given
    slow.go.set()
    thread.join(LONG_S)
    assert np.array_equal(found[0], expected)


def test_the_same_frame_gives_the_same_array_and_another_frame_its_own(model: VisionLanguageModel) -> None:
    first, second = Frame.open(PHOTOS[0]), Frame.open(PHOTOS[1])
    eyes = model._eyes()
    tokens = eyes.tokens(first)
    model.count(second)
    assert eyes.tokens(first) is tokens
    assert eyes.tokens(second) is not tokens
    assert not np.array_equal(eyes.tokens(second), tokens)


def test_within_a_budget_a_frame_becomes_the_same_tokens() -> None:
    frame = Frame.open(PHOTOS[0])
    with edge.load("smear", threads=1) as free, edge.load("smear", budget="1GB") as planned:
        assert np.allclose(free._eyes().tokens(frame), planned._eyes().tokens(frame), atol=1e-4)


def test_what_was_seen_can_be_forgotten_and_is_seen_again(model: VisionLanguageModel) -> None:
    frame = Frame.open(PHOTOS[2])
    before = model._eyes().tokens(frame)
    model._eyes().forget()
    after = model._eyes().tokens(frame)
    assert after is not before
    assert np.array_equal(after, before)


@pytest.mark.parametrize("counted_first", [True, False])
def test_a_frame_that_is_asked_about_and_counted_is_encoded_once(
    model: VisionLanguageModel, monkeypatch: pytest.MonkeyPatch, counted_first: bool
) -> None:
    eyes, encoded, apply = model._eyes(), [], Preprocess.apply

    def note(prepare: Preprocess, frame: Frame, out: np.ndarray) -> Geometry:
        encoded.append(frame)
        return apply(prepare, frame, out)

    expected = [
        (eyes.tokens(frame).copy(), model.count(Frame.of(frame.pixels)).totals) for frame in map(Frame.open, PHOTOS)
    ]
    monkeypatch.setattr(Preprocess, "apply", note)
    frames = [Frame.open(path) for path in PHOTOS]
    for frame, (tokens, totals) in zip(frames, expected, strict=True):
        for step in (model.count, eyes.tokens) if counted_first else (eyes.tokens, model.count):
            step(frame)
        assert np.array_equal(eyes.tokens(frame), tokens)
        assert model.count(frame).totals == totals
    assert encoded == frames


def test_an_encoder_that_could_not_be_bound_for_the_adapter_is_bound_the_next_time(
    model: VisionLanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, bind, asked = Frame.open(PHOTOS[0]), Model.bind, []

    def fail(model: Model, *arguments: Any, **arrays: Any) -> Run:
        asked.append(arrays)
        if len(asked) == 3:
            raise MemoryError
        return bind(model, *arguments, **arrays)

    with edge.load("smear", threads=1) as other:
        expected = other._eyes().tokens(frame)
    monkeypatch.setattr(Model, "bind", fail)
    with pytest.raises(MemoryError):
        model._eyes().tokens(frame)
    assert np.array_equal(model._eyes().tokens(frame), expected)
