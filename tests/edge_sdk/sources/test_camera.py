from __future__ import annotations

import gc
import itertools
import queue
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from edge_sdk.errors import CameraError, ClosedError, EdgeError, FrameError
from edge_sdk.frame import Frame
from edge_sdk.sources import Camera, EndOfFrames, open_camera


class Script:
    """A source that does what the test tells it, when the test tells it."""

    def __init__(self, *, live: bool = True) -> None:
        self.name = "script"
        self.live = live
        self.interval_s = 0.0
        self.steps: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.reads = threading.Semaphore(0)
        self.returns: list[object] = []
        self.closed_by: list[str] = []

    def read(self, sequence: int) -> Frame | None:
        self.reads.release()
        step = self.steps.get()
        if isinstance(step, BaseException):
            raise step
        if step is None:
            return None
        return Frame(np.full((16, 16, 3), step, np.uint8), 0.0, sequence, self.name)

    def reopen(self) -> None:
        error = self.returns.pop(0) if self.returns else None
        if isinstance(error, BaseException):
            raise error

    def interrupt(self) -> None:
        """A script is never waited for."""

    def close(self) -> None:
        self.closed_by.append(threading.current_thread().name)

    def play(self, *steps: object) -> None:
        """Hand out steps and wait until the last of them was dealt with."""
        for step in steps:
            self.steps.put(step)
        for _ in steps:
            assert self.reads.acquire(timeout=10)
        assert self.reads.acquire(timeout=10)  # The read after the last step.
        self.reads.release()


class Patience:
    """Stands for the wait of the pump: takes no time and notes how long it would have been."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []

    def __call__(self, delay_s: float) -> bool:
        self.waits_s.append(delay_s)
        return False


@pytest.fixture
def source() -> Script:
    return Script()


@pytest.fixture
def patience() -> Patience:
    return Patience()


@pytest.fixture
def camera(source: Script, patience: Patience) -> Iterator[Camera]:
    with Camera(source, wait=patience) as camera:
        yield camera
        source.steps.put(None)


def value(frame: Frame) -> int:
    return int(frame.pixels[0, 0, 0])


def test_the_newest_frame_wins_and_the_others_are_counted(source: Script, camera: Camera) -> None:
    source.play(1, 2, 3)
    frame = camera.capture()
    assert (value(frame), frame.sequence, camera.dropped) == (3, 2, 2)


def test_a_frame_is_given_once(source: Script, camera: Camera) -> None:
    source.play(1)
    camera.capture()
    with pytest.raises(CameraError, match="no frame within 0 s"):
        camera.capture(timeout_s=0)


def test_files_are_not_read_ahead_of_who_takes_them_and_none_is_dropped() -> None:
    source = Script(live=False)
    with Camera(source) as camera:
        for step in (1, 2, 3, None):
            source.steps.put(step)
        assert [value(frame) for frame in camera] == [1, 2, 3]
        assert (camera.dropped, camera.state) == (0, "ended")


def test_a_file_that_waits_to_be_taken_does_not_keep_the_camera_from_closing() -> None:
    source = Script(live=False)
    camera = Camera(source)
    source.steps.put(1)
    camera.close()
    assert source.closed_by


def test_the_end_is_an_error_of_capture_and_the_end_of_a_loop(source: Script, camera: Camera) -> None:
    source.steps.put(1)
    source.steps.put(None)
    assert len(list(camera)) <= 1
    assert list(camera) == []
    with pytest.raises(EndOfFrames, match="no more frames in script; 1 were read") as caught:
        camera.capture()
    assert isinstance(caught.value, EOFError)


def test_one_bad_picture_is_told_and_the_next_one_follows() -> None:
    source = Script(live=False)
    with Camera(source) as camera:
        for step in (1, FrameError("bad.jpg is cut short."), 3, None):
            source.steps.put(step)
        assert value(camera.capture()) == 1
        with pytest.raises(FrameError, match=r"bad\.jpg"):
            camera.capture()
        frame = camera.capture()
        assert (value(frame), frame.sequence) == (3, 2)


def test_a_lost_camera_is_looked_for_less_and_less_often(
    source: Script, camera: Camera, patience: Patience, caplog: pytest.LogCaptureFixture
) -> None:
    source.returns = [CameraError("There is no camera.")] * 7
    source.play(1, CameraError("The camera script stopped delivering."), 2)
    assert patience.waits_s == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert value(camera.capture()) == 2
    assert camera.state == "open"
    assert [r.message for r in caplog.records if r.levelname == "WARNING"] == [
        "The camera script stopped delivering. It is being looked for.",
        "The camera script is back",
    ]


def test_a_frame_from_before_the_plug_was_pulled_is_not_given_after(source: Script, camera: Camera) -> None:
    source.play(1, CameraError("gone"))
    with pytest.raises(CameraError, match="is gone, and did not come back within 0 s"):
        camera.capture(timeout_s=0)
    assert camera.state == "unplugged"


def test_a_loop_goes_on_when_the_camera_is_back(source: Script, camera: Camera) -> None:
    source.play(1)
    assert value(next(camera)) == 1
    source.play(CameraError("gone"), 2)
    assert value(next(camera)) == 2


@pytest.mark.parametrize("pattern", [(7,), (7, 8), (7, 8, 9, 10, 11)])
def test_a_camera_that_repeats_itself_is_noticed(source: Script, camera: Camera, pattern: tuple[int, ...]) -> None:
    repeats = list(itertools.islice(itertools.cycle(pattern), 30 + len(pattern)))
    source.play(*repeats[:-1])
    assert camera.state == "open"
    source.play(repeats[-1])
    assert camera.frozen
    with pytest.raises(CameraError, match="is frozen: its last 30 frames are repeats") as caught:
        camera.capture()
    assert "lens cap" in (caught.value.why or "")


def test_a_frozen_camera_that_moves_again_is_open_again(source: Script, camera: Camera) -> None:
    source.play(*[7] * 31)
    assert camera.frozen
    source.play(8)
    assert value(camera.capture()) == 8
    assert not camera.frozen


def test_equal_pictures_in_a_folder_are_not_a_frozen_camera() -> None:
    source = Script(live=False)
    with Camera(source) as camera:
        for step in [*[7] * 40, None]:
            source.steps.put(step)
        assert len(list(camera)) == 40


def test_any_other_error_of_a_source_reaches_who_takes_the_frames(source: Script, camera: Camera) -> None:
    source.steps.put(ZeroDivisionError("a driver's bug"))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="a driver's bug"):
            camera.capture()


def test_closing_twice_is_harmless_and_capture_says_that_it_is_closed(source: Script) -> None:
    camera = Camera(source)
    source.steps.put(1)
    source.steps.put(None)
    camera.close()
    camera.close()
    with pytest.raises(ClosedError, match="script is closed"):
        camera.capture()
    assert camera.state == "closed"


def test_a_capture_that_waits_is_woken_when_another_thread_closes(source: Script) -> None:
    camera = Camera(source)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            camera.capture(timeout_s=60)
        except ClosedError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    source.steps.put(CameraError("gone"))
    camera.close()
    thread.join(10)
    assert len(errors) == 1


def test_the_source_is_closed_by_the_thread_that_reads_it(source: Script) -> None:
    with Camera(source):
        source.steps.put(None)
    assert source.closed_by == ["edge-camera script"]


def test_a_camera_that_is_forgotten_stops_its_thread() -> None:
    source = Script(live=False)
    camera = Camera(source)
    source.steps.put(1)
    gone = weakref.ref(camera)
    del camera
    gc.collect()
    assert gone() is None
    assert source.closed_by


def test_a_source_with_an_interval_is_asked_no_more_often(patience: Patience) -> None:
    source = Script()
    source.interval_s = 0.25
    with Camera(source, clock=lambda: 100.0, wait=patience):
        source.play(1, 2)
        source.steps.put(None)
    assert patience.waits_s == [0.25, 0.25]


def test_a_repr_tells_state_and_numbers(source: Script, camera: Camera) -> None:
    source.play(1, 2)
    assert repr(camera) == "<Camera script, open, 2 frames, 1 dropped>"


@pytest.mark.parametrize("address", ["", "picture://", "x" * 5000, "a\0b"], ids=["empty", "bare", "long", "nul"])
def test_an_address_that_names_nothing_is_an_error_and_not_the_folder_one_stands_in(address: str) -> None:
    with pytest.raises(EdgeError):
        open_camera(address).capture()
