"""Weights that are read ahead of the engine: with an engine that is played, and with a real one."""

from __future__ import annotations

import gc
import mmap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.memory.mapping import Pages
from edge_sdk.memory.stream import Stream, open_stream, spread
from edge_sdk.runtime import WeightCache, open_model

MIB = 1 << 20


class Played:
    """Stands for the pages of a file; the test is the engine that touches them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.there: set[int] = set()
        self.touched: set[int] = set()
        self.taken: set[int] = set()  # by the kernel, for others
        self.fetched: list[int] = []
        self.dropped: list[int] = []
        self.most = 0
        self.looks = 0
        self.closed = False
        self.waits = 0
        self._changed = threading.Condition()

    def used(self, chunk: int) -> bool:
        with self._changed:
            return chunk in self.touched

    def fetch(self, chunk: int) -> None:
        with self._changed:
            self.fetched.append(chunk)
            self.there.add(chunk)
            self.most = max(self.most, len(self.there))
            self._changed.notify_all()

    def drop(self, chunk: int) -> None:
        with self._changed:
            self.dropped.append(chunk)
            self.there.discard(chunk)
            self.touched.discard(chunk)
            self._changed.notify_all()

    def advise(self, chunk: int, advice: int) -> None:
        assert advice in (mmap.MADV_RANDOM, mmap.MADV_NORMAL)

    def missing(self) -> npt.NDArray[np.intp]:
        with self._changed:
            self.looks += 1
            self.there -= self.taken
            self._changed.notify_all()
            return np.array([0 if chunk in self.there else 256 for chunk in range(self.count)], np.intp)

    def late(self) -> int:
        return self.waits

    def close(self) -> None:
        self.closed = True

    def wait(self, stream: Stream, streamed: int) -> None:
        """Wait until the thread has changed its choice."""
        with self._changed:
            assert self._changed.wait_for(lambda: stream.streamed == streamed, 10)

    def run(self, stream: Stream, reach: int | None = None) -> None:
        """Be the engine for one run, which waits for chunks that are being read, and for the thread after it."""
        looks = self.looks
        stream.begin()
        for chunk in range(self.count if reach is None else reach):
            with self._changed:
                if stream._streamed[chunk]:
                    assert self._changed.wait_for(lambda chunk=chunk: chunk in self.there, 10)  # type: ignore[misc]
                self.touched.add(chunk)
                self.there.add(chunk)
        stream.end()
        with self._changed:
            assert self._changed.wait_for(lambda: self.looks > looks, 10)


@pytest.fixture
def played() -> Played:
    return Played(40)


@pytest.fixture
def stream(played: Played) -> Iterator[Stream]:
    made = Stream(cast(Pages, played), 20 * MIB)
    yield made
    made.close()


def test_what_has_no_room_is_read_in_every_run_and_nothing_else(played: Played, stream: Stream) -> None:
    for _ in range(3):
        played.run(stream)
    # Of a room of 20, five are read ahead and two are in use.
    assert stream.streamed == 40 - 13
    ahead = 5
    assert 3 * stream.streamed <= len(played.fetched) <= 3 * stream.streamed + ahead
    assert set(played.fetched) == set(np.flatnonzero(stream._streamed).tolist())


def test_memory_stays_within_the_room(played: Played, stream: Stream) -> None:
    for _ in range(3):
        played.run(stream)
    # The chunk in use and the one before it, let go once the next is touched.
    assert played.most <= 20 + 1


def test_chunks_are_read_in_the_order_of_use(played: Played, stream: Stream) -> None:
    played.run(stream)
    first_run = played.fetched[: stream.streamed]
    assert first_run == sorted(first_run)


def test_a_run_that_ends_early_leaves_nothing_behind(played: Played, stream: Stream) -> None:
    played.run(stream, reach=25)
    kept = set(np.flatnonzero(~stream._streamed).tolist())
    assert played.there <= kept
    played.run(stream)
    assert played.fetched[-1] < 10  # the beginning, for the next run


def test_as_much_less_is_kept_as_the_kernel_takes(played: Played, stream: Stream) -> None:
    played.run(stream)
    kept = np.flatnonzero(~stream._streamed).tolist()
    played.taken = set(kept[:2])
    played.run(stream)
    played.wait(stream, 27 + 2)
    assert stream._streamed[kept[:2]].all()


def test_less_is_kept_where_the_kernel_takes_what_was_read_ahead(played: Played, stream: Stream) -> None:
    played.waits = 1000
    played.run(stream)
    played.wait(stream, 27)  # at first everything is waited for
    played.run(stream)
    played.wait(stream, 27 + 3)  # a quarter of the 13 at a time


def test_what_was_given_up_is_kept_again_after_a_calm(played: Played, stream: Stream) -> None:
    played.run(stream)
    played.taken = set(np.flatnonzero(~stream._streamed).tolist()[:2])
    played.run(stream)
    played.taken = set()
    for _ in range(9):
        played.run(stream)
    played.wait(stream, 27)


def test_chunks_that_no_run_has_touched_yet_are_not_taken_for_lost(played: Played, stream: Stream) -> None:
    for _ in range(3):
        played.run(stream, reach=30)  # a prompt does not use the last weights
    assert stream.streamed == 27


def test_without_room_everything_is_read_anew() -> None:
    played = Played(3)
    stream = Stream(cast(Pages, played), 0)
    for _ in range(2):
        played.run(stream)
    assert stream.streamed == 3
    stream.close()
    stream.close()
    assert played.closed


def test_a_kernel_that_takes_no_advice_midway_costs_speed_only(
    played: Played, stream: Stream, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(chunk: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(played, "fetch", refused)
    stream.begin()
    stream._thread.join(10)
    stream.end()
    assert "paged plainly" in caplog.text


def test_streamed_chunks_are_spread_evenly() -> None:
    marks = np.flatnonzero(spread(131, 70))
    assert len(marks) == 70
    assert np.diff(marks).max() <= 2
    assert not spread(5, 0).any()
    assert spread(5, 5).all()


@pytest.fixture
def photo_model(material: Path) -> Path:
    return material / "models" / "mobilenet_v2_1.0_224_quant.tflite"


def answer(path: Path, cache: WeightCache | None, room_bytes: int | None) -> tuple[npt.NDArray[np.generic], bool]:
    """Run a model twice, and return what it says of noise and whether its weights were streamed."""
    with open_model(path, engine="litert", threads=1, weight_cache=cache) as model:
        stream = open_stream(model, room_bytes) if room_bytes is not None else None
        run = model.bind()
        (pixels,) = run.inputs.values()
        pixels[...] = np.random.default_rng(7).integers(0, 256, pixels.shape, np.uint8)
        run()
        run()
        (scores,) = run.outputs.values()
    if stream:
        assert not stream._thread.is_alive()
    return scores.copy(), stream is not None


def test_answers_are_the_same(photo_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    cache = WeightCache(tmp_path)
    plain, _ = answer(photo_model, cache, None)
    streamed, was = answer(photo_model, cache, 2 * MIB)
    assert was
    assert (plain == streamed).all()


def test_weights_that_fit_or_lie_in_no_file_are_left_to_the_kernel(photo_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    assert not answer(photo_model, WeightCache(tmp_path), 100 * MIB)[1]
    assert not answer(photo_model, None, 2 * MIB)[1]


def test_a_model_that_nobody_closes_ends_its_stream(photo_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    model = open_model(photo_model, engine="litert", threads=1, weight_cache=WeightCache(tmp_path))
    stream = open_stream(model, 2 * MIB)
    assert stream is not None
    model.bind()()
    del model
    gc.collect()
    assert not stream._thread.is_alive()
