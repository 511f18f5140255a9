"""A camera behind a program: it writes raw frames to a pipe, and is killed and started anew when it hangs."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge_sdk.errors import CameraError
from edge_sdk.frame import Frame
from edge_sdk.sources.child import Child
from edge_sdk.sources.layout import Layout, frame_of

__all__ = ["PipeSource", "Program"]

log = logging.getLogger(__name__)

_TOLD_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Program:
    """A program that writes frames.

    Attributes
    ----------
    arguments : sequence of str
        What is run. No shell sees it.
    layout : Layout
        What it is asked for.
    pipe_word : str
        What stands before the number of a descriptor for frames, as the last argument: ``fd=``. Empty where
        frames come on standard output; a program that also talks there needs a descriptor of its own.
    adapt : callable, optional
        Corrects the layout by what the program had said when its first frame came.
    advise : callable, optional
        Says what to do about what the program said when it ended.
    """

    arguments: Sequence[str]
    layout: Layout
    pipe_word: str = ""
    adapt: Callable[[Layout, str], Layout] | None = None
    advise: Callable[[str], str] | None = None


class PipeSource:
    """Frames that a program writes to a pipe.

    It is started when this is made, and its first frame is waited for. When it ends, or delivers no whole frame
    for a while, it is killed with all that it started; `reopen` starts it anew.

    Parameters
    ----------
    name : str
        What messages and frames call the camera.
    program : Program
        What is run.
    stall_s : float
        How long it may go without a whole frame.
    start_s : float
        How long its first frame may take: GStreamer reads through all its plug-ins when it is first run.

    Raises
    ------
    CameraError
        If it cannot be started, ends, or gives no frame in time; with what it said.
    """

    live = True
    interval_s = 0.0

    def __init__(self, name: str, program: Program, *, stall_s: float = 5.0, start_s: float = 20.0) -> None:
        self.name = name
        self._program = program
        self._stall_s = stall_s
        self._start_s = start_s
        self._child: Child | None = None
        self._filled = 0  # Bytes of the frame that is being read.
        self._begun_s = 0.0  # When its first bytes came.
        self._buffer = np.empty(0, np.uint8)
        self._use(program.layout)
        self._lock = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            self.reopen()
        except BaseException:
            self.close()
            raise

    def read(self, sequence: int) -> Frame | None:
        """Wait for the next whole frame; its time is when its first bytes came."""
        if self._filled < self._layout.frame_bytes:
            self._fill(self._stall_s, time.monotonic() + self._stall_s, "stopped delivering")
        self._filled = 0
        frame = frame_of(self._layout, self._buffer, self._begun_s, sequence, self.name)
        if self._layout.keeps:
            self._buffer = np.empty(self._layout.frame_bytes, np.uint8)
        return frame

    def reopen(self) -> None:
        """Start the program anew, and wait until a first frame shows that it works."""
        self._end()
        self._filled = 0
        program, deadline_s = self._program, time.monotonic() + self._start_s
        try:
            self._child = Child(
                program.arguments,
                pipe_word=program.pipe_word,
                frame_bytes=program.layout.frame_bytes,
                wake=self._wake,
            )
        except OSError as error:
            raise CameraError(f"The camera {self.name} could not be started.", why=str(error)) from error
        if program.adapt is not None and self._child.wait(deadline_s):
            layout = program.adapt(program.layout, self._child.said)
            if layout != self._layout:
                self._use(layout)
        self._fill(self._start_s, deadline_s, "could not be opened")

    def interrupt(self) -> None:
        """End the waiting of another thread, now and from now on."""
        with self._lock:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """End the program."""
        self._end()
        with self._lock:
            if self._wake >= 0:
                os.close(self._wake)
            self._wake = -1

    def _use(self, layout: Layout) -> None:
        asked = self._program.layout
        if (layout.width_px, layout.height_px) != (asked.width_px, asked.height_px):
            wish, given = f"{asked.width_px}x{asked.height_px}", f"{layout.width_px}x{layout.height_px}"
            log.warning("The camera %s was asked for %s and gives %s", self.name, wish, given)
        self._layout = layout
        self._buffer = np.empty(layout.frame_bytes, np.uint8)

    def _fill(self, limit_s: float, deadline_s: float, ended: str) -> None:
        """Read the rest of a frame; `ended` is what to say of a program that ends."""
        child, view = self._child, self._buffer.data
        if child is None:
            raise CameraError(f"The camera {self.name} is not running.")
        while self._filled < len(view):
            if not child.wait(deadline_s):
                raise self._failure(f"gave no whole frame within {limit_s:g} s", child.said)
            if not self._filled:
                self._begun_s = time.monotonic()
            count = child.read_into(view[self._filled :])
            if not count:
                raise self._failure(ended)
            self._filled += max(count, 0)

    def _failure(self, what: str, before: str | None = None) -> CameraError:
        """End the program, and tell what it said: before that, where its end is our doing."""
        status, said = self._end()
        self._filled = 0
        if before is None:
            line = _error_line(said) or _last_line(said)
            otherwise = f"Its program said nothing and {_ending(status)}."
        else:
            line = _error_line(before)
            otherwise = "Its program runs, but hangs."
        return CameraError(
            f"The camera {self.name} {what}.",
            why=f"Its program said: {line}" if line else otherwise,
            fix=self._program.advise(said) if self._program.advise else "Check its cable.",
        )

    def _end(self) -> tuple[int | None, str]:
        child, self._child = self._child, None
        return (None, "") if child is None else (child.stop(), child.said)


def _ending(status: int | None) -> str:
    if status is not None and status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _error_line(said: str) -> str:
    """Find the first line with an error in it: those after it tend to be its consequences."""
    return next((line for line in _lines(said) if "error" in line.lower()), "")


def _last_line(said: str) -> str:
    return next(reversed(_lines(said)), "")


def _lines(said: str) -> list[str]:
    printable = ("".join(filter(str.isprintable, line)).strip() for line in said.splitlines())
    return [line[:_TOLD_CHARACTERS] for line in printable if line]
