"""A program that writes frames to a pipe: started, listened to, and stopped so that nothing of it is left.

A camera's driver can hang in native code where no thread of ours can reach it. In a process of its own it can
be killed and started anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeAlias

__all__ = ["Child"]

_Process: TypeAlias = "subprocess.Popen[bytes]"

log = logging.getLogger(__name__)

_MOST_PIPE_BYTES = 1 << 20  # What an ordinary user may ask for. Source: pipe(7), /proc/sys/fs/pipe-max-size.
_SAID_BYTES = 32768  # Of what a program says; a chatty one may not fill the memory.
_CHUNK_BYTES = 65536
_GRACE_S = 1.0  # To let go of the camera: NVIDIA's camera daemon needs a restart when its client just vanishes.
_GUARD_S = 10.0
_REAP_S = 2.0  # A killed program ends at once, unless it waits in the kernel for a device.


class Child:
    """One run of a program.

    Parameters
    ----------
    arguments : sequence of str
        What is run.
    pipe_word : str
        As `edge_sdk.sources.pipe.Program` has it.
    frame_bytes : int
        Room in the pipe: with less a program is woken many times a frame, with more old frames pile up.
    wake : int
        A descriptor that becomes readable when waiting must end at once.

    Raises
    ------
    OSError
        If the program cannot be started.
    """

    def __init__(self, arguments: Sequence[str], *, pipe_word: str, frame_bytes: int, wake: int) -> None:
        self._wake = wake
        self._said = bytearray()
        self._frames, write = os.pipe()
        self._talk, talk_write = os.pipe()
        try:
            with contextlib.suppress(OSError):  # The user's share of pipe memory is used up: the usual 64 kB do.
                fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, min(frame_bytes, _MOST_PIPE_BYTES))
            for descriptor in (self._frames, self._talk):
                os.set_blocking(descriptor, False)
            self._process = _start(arguments, pipe_word, write, talk_write)
        except BaseException:
            os.close(self._frames)
            os.close(self._talk)
            raise
        finally:
            os.close(write)
            os.close(talk_write)
        self._poll = select.poll()
        for descriptor in (self._frames, self._talk, self._wake):
            self._poll.register(descriptor, select.POLLIN)

    @property
    def said(self) -> str:
        """What it wrote of late beside frames."""
        return self._said.decode(errors="replace")

    def wait(self, deadline_s: float) -> bool:
        """Wait for frame data or its end, listening meanwhile; False if the deadline passed or waiting was ended."""
        while (left_s := deadline_s - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in self._poll.poll(1000 * left_s + 1)}
            if self._wake in ready:
                return False
            if self._talk in ready:
                self._listen()
            if self._frames in ready:
                return True
        return False

    def read_into(self, view: memoryview) -> int:
        """Read what is there of a frame, without waiting; 0 at the end."""
        try:
            return os.readv(self._frames, [view])
        except BlockingIOError:
            return -1

    def stop(self) -> int | None:
        """End it and all that it started; tell its exit status, None if even SIGKILL has not ended it in time."""
        self._signal(signal.SIGINT)  # What the three programs take for the wish to stop.
        self._drain(time.monotonic() + _GRACE_S)
        self._signal(signal.SIGKILL)
        try:
            status: int | None = self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:
            log.warning("Process %d does not end: it waits in the kernel for its device", self._process.pid)
            status = None
        self._listen()
        os.close(self._frames)
        os.close(self._talk)
        return status

    def _listen(self) -> None:
        """Take what it said, and keep the last of it."""
        try:
            chunk = os.read(self._talk, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            with contextlib.suppress(KeyError):
                self._poll.unregister(self._talk)  # Else its end would be ready for ever.
        self._said += chunk
        del self._said[:-_SAID_BYTES]

    def _drain(self, deadline_s: float) -> None:
        """Read on until it has closed its pipe: one that is stuck in writing a frame would not end."""
        scratch = memoryview(bytearray(_CHUNK_BYTES))
        poll = select.poll()
        poll.register(self._frames, select.POLLIN)
        while (left_s := deadline_s - time.monotonic()) > 0 and poll.poll(1000 * left_s + 1):
            self._listen()
            if self.read_into(scratch) == 0:
                break

    def _signal(self, number: signal.Signals) -> None:
        """Signal its whole group. It is reaped only after the last signal, so that its number is no other's."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _start(arguments: Sequence[str], pipe_word: str, write: int, talk: int) -> _Process:
    """Start a program that is killed when this process ends, however it ends."""
    return _STARTER.call(
        lambda: subprocess.Popen(
            [*_guard(), *arguments, *([f"{pipe_word}{write}"] if pipe_word else [])],
            stdin=subprocess.DEVNULL,
            stdout=talk if pipe_word else write,
            stderr=talk,
            pass_fds=[write] if pipe_word else [],
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},  # So that what it says can be understood here.
        )
    )


@functools.lru_cache(maxsize=1)
def _guard() -> tuple[str, ...]:
    """Give the words in front of a program that have the kernel kill it when its parent ends.

    Without them a program still ends when it next writes a frame, but one that hangs would stay. Python's own
    way, code between fork and exec, may deadlock where there are threads.
    """
    path = shutil.which("setpriv")  # Of util-linux, which Debian always has; since 2.33 it knows the option.
    words = (path or "", "--pdeathsig", "KILL", "--")
    try:
        known = path and subprocess.run([*words, "true"], capture_output=True, timeout=_GUARD_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        known = False
    return words if known else ()


class _Starter:
    """A thread that starts programs and never ends: the kernel takes the end of a thread for that of the parent.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: in the child of a fork the thread is gone."""
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[tuple[Future[_Process], Callable[[], _Process]]] = SimpleQueue()
        self._alive = False

    def call(self, job: Callable[[], _Process]) -> _Process:
        """Have the thread start a program; what goes wrong there is raised here."""
        with self._lock:
            if not self._alive:
                threading.Thread(target=self._run, name="edge-camera starter", daemon=True).start()
                self._alive = True
        future: Future[_Process] = Future()
        self._jobs.put((future, job))
        return future.result()

    def _run(self) -> None:
        while True:
            future, job = self._jobs.get()
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)
            del future, job  # Else the last program would be held until the next one is started.


_STARTER = _Starter()
os.register_at_fork(after_in_child=_STARTER.forget)
