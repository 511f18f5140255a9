"""The shipped bundle on the shipped photographs, and on frames that nobody expects."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edge_sdk as edge
from edge_sdk.errors import BundleError, FrameError, PromptError
from edge_sdk.pipeline import VisionLanguageModel

PHOTOS = sorted((Path(edge.__file__).parent / "data/photos").glob("*.jpg"))


@pytest.fixture(scope="module")
def model() -> Iterator[VisionLanguageModel]:
    with edge.load("smear", threads=1) as loaded:
        yield loaded


def test_every_cell_lies_in_its_frame_and_has_a_size_and_a_score(model: VisionLanguageModel) -> None:
    for photo in PHOTOS:
        count = model.count(photo)
        assert count.totals["rbc"] > 3
        assert sum(count.totals.values()) == len(count.cells)
        for cell in count.cells:
            assert 0 <= cell.x_px <= count.width_px
            assert 0 <= cell.y_px <= count.height_px
            assert 0 < cell.radius_px < max(count.width_px, count.height_px)
            assert 0 < cell.score <= 1
        scores = [cell.score for cell in count.cells]
        assert scores == sorted(scores, reverse=True)


def test_counts_are_near_the_labels_of_unseen_pictures(model: VisionLanguageModel, material: Path) -> None:
    pictures = sorted((material / "data/smear/val/images").glob("*.jpg"))[::13]
    off = total = 0
    for picture in pictures:
        labels = picture.parents[1] / "labels" / f"{picture.stem}.txt"
        true = sum(line.startswith("1 ") for line in labels.read_text().splitlines())
        off += abs(model.count(picture).totals["rbc"] - true)
        total += true
    assert total > 200
    assert off / total < 0.15


def test_a_cell_stays_where_it_is_when_the_frame_is_larger(model: VisionLanguageModel) -> None:
    pixels = edge.Frame.open(PHOTOS[0]).pixels
    double = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    small, large = model.count(pixels), model.count(double)
    assert abs(len(small.cells) - len(large.cells)) <= 2
    white, white_large = (next(c for c in count.cells if c.label == "wbc") for count in (small, large))
    assert white_large.x_px == pytest.approx(2 * white.x_px, abs=6)
    assert white_large.width_px == pytest.approx(2 * white.width_px, rel=0.1)


def test_counting_again_gives_the_same(model: VisionLanguageModel) -> None:
    first = model.count(PHOTOS[0])
    model.count(PHOTOS[1])
    assert model.count(PHOTOS[0]) == first


def test_the_spoken_count_is_the_one_that_count_finds(model: VisionLanguageModel) -> None:
    for photo in PHOTOS:
        white = model.count(photo).totals["wbc"]
        assert str(white) in model.ask("How many white blood cells are there?", photo).text


def test_a_question_off_the_subject_is_turned_down(model: VisionLanguageModel) -> None:
    assert model.ask("What is the capital of France?", PHOTOS[0]).text == model.bundle.card.off_topic


def test_a_frame_that_is_no_film_is_turned_down(model: VisionLanguageModel) -> None:
    noise = np.random.default_rng(4).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    assert model.ask("How many red blood cells are there?", noise).text == model.bundle.card.no_film


def test_a_question_without_a_frame_is_answered(model: VisionLanguageModel) -> None:
    assert model.ask("How many red blood cells are there?").text == model.bundle.card.no_frame


def test_an_embedding_is_that_of_the_frame(model: VisionLanguageModel) -> None:
    one, other = model.embed(PHOTOS[0]), model.embed(PHOTOS[1])
    assert one.shape == other.shape
    assert one.dtype == np.float32
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(one, model.embed(PHOTOS[0]))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((3, 900, 3), np.uint8),
        np.zeros((40, 50), np.uint8),
        np.zeros((40, 50, 4), np.uint8),
        np.full((40, 50, 3), 60000, np.uint16),
        np.full((40, 50, 3), 0.5, np.float32),
    ],
    ids=["1x1", "a line", "grey", "alpha", "16 bit", "float"],
)
def test_an_odd_frame_is_counted_like_any_other(model: VisionLanguageModel, pixels: np.ndarray) -> None:
    count = model.count(pixels)
    assert (count.height_px, count.width_px) == pixels.shape[:2]
    assert len(count.cells) < 20
    assert model.ask("How many white blood cells are there?", pixels).text


def test_a_grey_film_is_still_a_film(model: VisionLanguageModel) -> None:
    grey = cv2.cvtColor(edge.Frame.open(PHOTOS[0]).pixels, cv2.COLOR_BGR2GRAY)
    assert model.count(grey).totals["rbc"] > 3


def test_a_hundred_megapixels_are_counted(model: VisionLanguageModel) -> None:
    small = cv2.cvtColor(edge.Frame.open(PHOTOS[0]).pixels, cv2.COLOR_BGR2GRAY)
    count = model.count(cv2.resize(small, (10_000, 10_000)))
    assert count.totals["rbc"] > 3
    assert max(cell.x_px for cell in count.cells) > 5000


@pytest.mark.parametrize(
    "thing",
    [np.full((4, 4, 3), np.nan), np.zeros((4, 4, 7), np.uint8), np.zeros((0, 4, 3), np.uint8), "no/such/file.jpg", 7],
    ids=["nan", "seven channels", "empty", "missing", "a number"],
)
def test_what_is_no_frame_is_refused(model: VisionLanguageModel, thing: object) -> None:
    with pytest.raises(FrameError):
        model.count(thing)
    with pytest.raises(FrameError):
        model.ask("How many?", [thing])


def test_a_text_file_is_no_picture(model: VisionLanguageModel) -> None:
    with pytest.raises(FrameError, match=r"test_model\.py"):
        model.count(__file__)


def test_more_frames_than_it_was_trained_on_are_refused(model: VisionLanguageModel) -> None:
    with pytest.raises(PromptError, match="takes 1"):
        model.ask("How many?", PHOTOS[:2])


def test_a_conversation_goes_on_about_the_same_frame(model: VisionLanguageModel) -> None:
    talk = model.conversation()
    first = talk.ask("How many white blood cells are there?", PHOTOS[0])
    assert first.text
    second = talk.ask("How many white blood cells are there?")
    assert second.text
    assert second.timings.encode_s < 0.001
    assert second.timings.prompt_tokens < first.timings.prompt_tokens
    talk.close()


def test_a_bundle_that_is_not_there_is_named() -> None:
    with pytest.raises(BundleError, match="no-such-bundle"):
        edge.load("no-such-bundle")


def test_both_engines_count_alike(model: VisionLanguageModel) -> None:
    with edge.load("smear", engine="interpreter", threads=1) as other:
        for photo in PHOTOS:
            assert dict(other.count(photo).totals) == dict(model.count(photo).totals)


def test_frames_are_counted_while_the_language_model_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_sdk.pipeline import model as module

    decoder, counts = module.Decoder, []
    with edge.load("smear", threads=1) as model:

        def slow(*things: Any, **more: Any) -> Any:
            counting = threading.Thread(target=lambda: counts.append(model.count(PHOTOS[0])), daemon=True)
            counting.start()
            counting.join(30)
            assert counts
            return decoder(*things, **more)

        monkeypatch.setattr(module, "Decoder", slow)
        assert model.ask("How many white blood cells are there?", PHOTOS[0]).text
