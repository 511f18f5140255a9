"""Programs that behave and that do not, and what becomes of them: real processes, with nothing mocked."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.errors import CameraError
from edge_sdk.sources import Camera
from edge_sdk.sources.layout import Layout
from edge_sdk.sources.pipe import PipeSource, Program

LAYOUT = Layout(8, 4, "bgr", 24)
PRELUDE = """
import os, signal, sys, time
def frame(number, count=96):
    os.write(1, bytes([number % 256]) * count)
def forever():
    while True:
        signal.pause()
"""
COUNTING = "n = 0\nwhile True:\n    frame(n)\n    n += 1\n    time.sleep(0.002)"
PATIENT_S = 60.0  # Never waited for by a test that passes.


class Now:
    """Stands for the wait of the pump: the next try comes at once."""

    def __call__(self, delay_s: float) -> bool:
        return False


@pytest.fixture
def begin() -> Iterator[Callable[..., PipeSource]]:
    """Give a function that opens a source on a small program; they are closed in the end."""
    opened: list[PipeSource] = []

    def begin(code: str, *, stall_s: float = PATIENT_S, start_s: float = PATIENT_S) -> PipeSource:
        program = Program([sys.executable, "-S", "-c", PRELUDE + code], LAYOUT)
        opened.append(PipeSource("small", program, stall_s=stall_s, start_s=start_s))
        return opened[-1]

    yield begin
    for source in opened:
        source.close()


def pid(source: PipeSource) -> int:
    assert source._child is not None
    return source._child._process.pid


def value(source: PipeSource) -> int:
    frame = source.read(0)
    assert frame is not None
    assert len(np.unique(frame.pixels)) == 1
    return int(frame.pixels[0, 0, 0])


def is_gone(process: int, patience_s: float = 10.0) -> bool:
    """Wait until a process has ended; a zombie has."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], patience_s)[0])
    finally:
        os.close(descriptor)


def children() -> set[str]:
    return {child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()}


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def test_every_frame_comes_whole_and_in_order_and_owns_its_pixels(begin: Callable[..., PipeSource]) -> None:
    source = begin("for n in range(5): frame(n)\nforever()")
    frames = [source.read(number) for number in range(5)]
    assert all(frame is not None for frame in frames)
    assert [int(frame.pixels[0, 0, 0]) for frame in frames if frame] == [0, 1, 2, 3, 4]
    assert [frame.sequence for frame in frames if frame] == [0, 1, 2, 3, 4]
    times = [frame.time_s for frame in frames if frame]
    assert times == sorted(times)


def test_a_frame_in_many_small_pieces_is_put_together(begin: Callable[..., PipeSource]) -> None:
    source = begin("for n in range(2):\n    for _ in range(32): frame(n, 3)\nforever()")
    assert [value(source), value(source)] == [0, 1]


def test_a_program_that_ends_at_once_is_quoted(begin: Callable[..., PipeSource]) -> None:
    with pytest.raises(CameraError, match="small could not be opened") as caught:
        begin("print('hello\\nERROR: no cameras available\\nbye', file=sys.stderr); sys.exit(3)")
    assert caught.value.why == "Its program said: ERROR: no cameras available"


def test_a_program_that_ends_without_a_word_is_told_by_its_status(begin: Callable[..., PipeSource]) -> None:
    with pytest.raises(CameraError) as caught:
        begin("sys.exit(3)")
    assert caught.value.why == "Its program said nothing and ended with status 3."
    with pytest.raises(CameraError) as caught:
        begin("os.kill(os.getpid(), signal.SIGSEGV)")
    assert "SIGSEGV" in (caught.value.why or "")


def test_a_program_that_is_not_there_is_an_error_and_leaves_nothing(begin: Callable[..., PipeSource]) -> None:
    before = descriptors()
    with pytest.raises(CameraError) as caught:
        PipeSource("small", Program(["/nowhere/camera"], LAYOUT))
    assert "No such file" in (caught.value.why or "")
    assert descriptors() == before


def test_a_program_that_ends_later_can_be_started_anew(begin: Callable[..., PipeSource]) -> None:
    source = begin("frame(7); frame(8)")
    assert [value(source), value(source)] == [7, 8]
    with pytest.raises(CameraError, match="small stopped delivering"):
        source.read(2)
    source.reopen()
    assert value(source) == 7


def test_half_a_frame_is_not_given_and_does_not_shift_what_comes_after(begin: Callable[..., PipeSource]) -> None:
    source = begin("frame(1); frame(2, 40)\nforever()", stall_s=0.2)
    assert value(source) == 1
    stuck = pid(source)
    with pytest.raises(CameraError, match=r"gave no whole frame within 0\.2 s"):
        source.read(1)
    assert is_gone(stuck)
    source.reopen()
    assert value(source) == 1


def test_a_program_that_gives_no_first_frame_is_killed(begin: Callable[..., PipeSource]) -> None:
    before = children()
    with pytest.raises(CameraError, match=r"no whole frame within 0\.5 s"):
        begin("forever()", start_s=0.5)
    assert children() <= before


def test_a_program_that_hangs_is_killed_and_started_anew_by_the_camera(begin: Callable[..., PipeSource]) -> None:
    source = begin(COUNTING, stall_s=1.0)
    with Camera(source, wait=Now(), timeout_s=PATIENT_S) as camera:
        first = camera.capture()
        hung = pid(source)
        os.kill(hung, signal.SIGSTOP)
        assert is_gone(hung)
        later = [camera.capture().sequence for _ in range(3)]  # One may have waited to be taken.
    assert first.sequence < later[0] < later[1] < later[2]


def test_a_camera_that_does_not_come_back_tells_what_its_program_said(begin: Callable[..., PipeSource]) -> None:
    code = "for n in range(3): frame(n)\nprint('ERROR: the sensor is unplugged', file=sys.stderr)"
    with (
        Camera(begin(code), wait=threading.Event().wait) as camera,
        pytest.raises(CameraError, match="is gone") as caught,
    ):
        list(iter(lambda: camera.capture(timeout_s=0.2), None))
    assert "the sensor is unplugged" in (caught.value.why or "")


def test_a_program_that_never_stops_talking_still_gives_frames_and_fills_no_memory(
    begin: Callable[..., PipeSource],
) -> None:
    talk = "n = 0\nwhile True:\n    os.write(2, b'\\xff\\0garbage' * 4000)\n    frame(n)\n    n += 1"
    source = begin(talk)
    assert [value(source) for _ in range(20)] == list(range(20))
    assert source._child is not None
    assert len(source._child._said) <= 32768


def test_a_program_that_only_talks_is_given_up_in_time(begin: Callable[..., PipeSource]) -> None:
    with pytest.raises(CameraError, match="no whole frame") as caught:
        begin("while True: os.write(2, b'\\xff\\0\\x1b[31mERROR\\n' * 4000)", start_s=0.5)
    assert "ERROR" in (caught.value.why or "")
    assert (caught.value.why or "").isprintable()


def test_a_program_that_takes_no_notice_of_signals_is_killed_all_the_same(begin: Callable[..., PipeSource]) -> None:
    deaf = "for s in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE): signal.signal(s, signal.SIG_IGN)\n"
    source = begin(deaf + "frame(1)\nwhile True: time.sleep(1)")
    process = pid(source)
    source.close()
    assert is_gone(process)


def test_a_program_that_waits_to_write_a_frame_is_let_go_of_politely(
    begin: Callable[..., PipeSource], tmp_path: Path
) -> None:
    polite = f"signal.signal(signal.SIGINT, lambda *_: (open({str(tmp_path / 'bye')!r}, 'w'), os._exit(0)))\n"
    source = begin(polite + "while True: frame(1)")
    source.close()
    assert (tmp_path / "bye").exists()


def test_what_the_program_started_is_ended_with_it(begin: Callable[..., PipeSource], tmp_path: Path) -> None:
    note = tmp_path / "pid"
    source = begin(
        f"child = os.fork()\nif not child: forever()\nopen({str(note)!r}, 'w').write(str(child))\nframe(1)\nforever()"
    )
    grandchild = int(note.read_text())
    source.close()
    assert is_gone(grandchild)


def test_fifty_times_open_and_closed_leave_no_process_and_no_descriptor() -> None:
    program = Program(["/bin/sh", "-c", "head -c 96 /dev/zero; exec sleep 1000"], LAYOUT)
    PipeSource("small", program).close()  # What is made once is made.
    held, processes = descriptors(), children()
    for _ in range(50):
        source = PipeSource("small", program)
        assert value(source) == 0
        source.close()
        source.close()
    assert descriptors() == held
    assert children() <= processes


def test_a_hanging_program_does_not_keep_a_camera_from_closing(begin: Callable[..., PipeSource]) -> None:
    source = begin("frame(1)\nforever()")
    camera = Camera(source)
    camera.capture()
    process = pid(source)
    camera.close()
    assert not camera._pump._thread.is_alive()
    assert is_gone(process)


def test_closing_writes_no_warning(begin: Callable[..., PipeSource], caplog: pytest.LogCaptureFixture) -> None:
    with Camera(begin(COUNTING)) as camera:
        camera.capture()
    assert caplog.records == []


def test_the_program_outlives_the_thread_that_opened_the_camera(begin: Callable[..., PipeSource]) -> None:
    opened: list[PipeSource] = []
    thread = threading.Thread(target=lambda: opened.append(begin(COUNTING)))
    thread.start()
    thread.join()
    assert [value(opened[0]) for _ in range(20)] == list(range(20))


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed")
def test_even_a_hanging_program_ends_when_this_process_is_killed() -> None:
    code = f"""
import signal, sys
from edge_sdk.sources.layout import Layout
from edge_sdk.sources.pipe import PipeSource, Program
program = Program([sys.executable, "-S", "-c", {PRELUDE + "frame(1); forever()"!r}], Layout(8, 4, "bgr", 24))
print(PipeSource("small", program)._child._process.pid, flush=True)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        process = int(owner.stdout.readline())
        os.kill(process, signal.SIGSTOP)
        owner.kill()
        assert is_gone(process)
