"""Watching frame after frame: what is new is encoded, and each result names the frame that it saw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edge_sdk as edge
from edge_sdk.frame import Frame
from edge_sdk.pipeline import VisionLanguageModel
from edge_sdk.pipeline.preprocess import Geometry, Preprocess

PHOTOS = [Frame.open(path).pixels for path in sorted((Path(edge.__file__).parent / "data/photos").glob("*.jpg"))]


def camera(*scenes: int) -> list[Frame]:
    """Give a still camera's frames of some photographs, ten of each, noise and all."""
    random = np.random.default_rng(5)
    frames: list[Frame] = []
    for scene in scenes:
        for _ in range(10):
            noisy = PHOTOS[scene] + random.normal(0, 2, PHOTOS[scene].shape)
            number = len(frames)
            pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
            frames.append(Frame(pixels, 100 + number / 30, number, "camera"))
    return frames


@pytest.fixture(scope="module")
def model() -> Iterator[VisionLanguageModel]:
    with edge.load("smear", threads=1) as loaded:
        yield loaded


def test_what_shows_nothing_new_is_not_encoded_again(model: VisionLanguageModel) -> None:
    frames = camera(1, 1, 1)
    counts = list(model.watch(frames))
    assert [count.sequence for count in counts] == list(range(30))
    fresh = [count for count in counts if not count.seen.kept]
    assert [count.sequence for count in fresh] == [0, 1, 2, 3]  # until the noise is known


def test_each_count_names_the_frame_that_it_saw_and_the_one_that_was_encoded(model: VisionLanguageModel) -> None:
    frames = camera(1, 3)
    counts = list(model.watch(frames))
    for count, frame in zip(counts, frames, strict=True):
        assert (count.seen.source, count.seen.sequence, count.seen.time_s) == ("camera", frame.sequence, frame.time_s)
        origin = frames[count.seen.encoded_sequence]
        assert count.seen.encoded_time_s == origin.time_s
        assert count.cells == model.count(origin).cells


def test_a_change_of_scene_is_never_answered_from_before(model: VisionLanguageModel) -> None:
    counts = list(model.watch(camera(1, 3, 1)))
    for count in counts:
        assert count.seen.encoded_sequence // 10 == count.sequence // 10


def test_without_the_gate_every_frame_is_counted(model: VisionLanguageModel) -> None:
    assert not any(count.seen.kept for count in model.watch(camera(1), gate=False))


def test_an_answer_names_its_frame_and_the_one_that_was_encoded(model: VisionLanguageModel) -> None:
    frames = camera(1)
    answers = [(a.text, a.seen[0], a.frames) for a in model.watch(frames, "How many white blood cells are there?")]
    for (text, seen, names), frame in zip(answers, frames, strict=True):
        assert seen.sequence == frame.sequence
        assert names == (f"camera#{frame.sequence}",)
        assert text == model.ask("How many white blood cells are there?", frames[seen.encoded_sequence]).text
    assert [seen.kept for _, seen, _ in answers] == [False] * 4 + [True] * 6


def test_a_region_makes_news_of_what_lies_within_it_alone(model: VisionLanguageModel) -> None:
    frames = camera(1)
    changed = frames[8].pixels.copy()
    changed[:100, :100] = 0
    frames[8] = Frame(changed, frames[8].time_s, 8, "camera")
    outside = list(model.watch(frames, region=(200, 200, 300, 200)))
    inside = list(model.watch(frames, region=(0, 0, 300, 200)))
    assert outside[8].seen.kept
    assert not inside[8].seen.kept


def test_cells_of_a_region_lie_in_the_pixels_of_the_whole_frame(model: VisionLanguageModel) -> None:
    frame = Frame.of(PHOTOS[1])
    left, top, width, height = 160, 120, 320, 240
    count = model.count(frame, region=(left, top, width, height))
    alone = model.count(frame.pixels[top : top + height, left : left + width])
    assert (count.width_px, count.height_px) == (frame.width_px, frame.height_px)
    assert count.totals == alone.totals
    for cell, same in zip(count.cells, alone.cells, strict=True):
        assert (cell.x_px, cell.y_px) == pytest.approx((same.x_px + left, same.y_px + top))


def test_the_same_region_of_the_same_frame_is_encoded_once(
    model: VisionLanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[Frame] = []
    apply = Preprocess.apply

    def note(self: Preprocess, frame: Frame, out: np.ndarray) -> Geometry:
        prepared.append(frame)
        return apply(self, frame, out)

    monkeypatch.setattr(Preprocess, "apply", note)
    frame, region = Frame.of(PHOTOS[1]), (0.0, 0.0, 0.5, 0.5)
    for question in ("Are there platelets?", "How many white blood cells are there?"):
        assert model.ask(question, frame, region=region).text
    model.count(frame, region=region)
    assert len(prepared) == 1
    assert prepared[0].width_px == frame.width_px // 2
