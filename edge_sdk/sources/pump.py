"""The thread that reads a source into a slot of one frame, so that capture runs beside inference."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from edge_sdk.errors import CameraError, ClosedError, FrameError
from edge_sdk.frame import Frame
from edge_sdk.sources.source import Source

__all__ = ["EndOfFrames", "Pump"]

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 10.0
# One second at 30 frames per second. A sensor's noise alone makes two frames differ, however still the scene.
_FROZEN_FRAMES = 30
_JOIN_S = 6.0  # Longer than a read of V4L2 can block, and than a program takes to end.


class EndOfFrames(CameraError, EOFError):
    """A file, a folder or a video has no more frames."""


class Pump:
    """Reads a source in a thread of its own until it ends or is stopped.

    A live source is read as fast as it delivers, and a frame that nobody took is replaced by the next.
    Any other source waits until its last frame was taken.

    Parameters
    ----------
    source : Source
        Read, and in the end closed, by this thread alone.
    clock : callable
        Monotonic seconds.
    wait : callable, optional
        Waits for some seconds and tells whether to stop; by default it wakes when the pump is stopped.
    """

    def __init__(
        self,
        source: Source,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._changed = threading.Condition()
        self._item: Frame | FrameError | CameraError | None = None
        self._loss = CameraError("It was never lost.")  # Why the device is not there now.
        self._failure: BaseException | None = None  # Whatever ended the thread: it is raised to who takes.
        self._digests: deque[int] = deque(maxlen=_FROZEN_FRAMES)
        self._repeats = 0
        self.state = "open"
        self.frames = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=f"edge-camera {source.name}", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> Frame:
        """Wait for a frame that was not taken before; see `edge_sdk.sources.Camera.capture`."""
        deadline_s = self._clock() + timeout_s
        with self._changed:
            while True:
                item, self._item = self._item, None
                if item is not None:
                    self._changed.notify_all()
                    if not isinstance(item, Frame):
                        raise item
                    return item
                self._raise_for_state()
                left_s = deadline_s - self._clock()
                if left_s <= 0:
                    raise self._timeout(timeout_s)
                self._changed.wait(min(left_s, threading.TIMEOUT_MAX))

    def stop(self) -> None:
        """Stop the thread, which closes the source; twice is harmless."""
        self._stopping.set()
        with self._changed:
            self.state = "closed"
            self._item = None
            self._changed.notify_all()
        self._source.interrupt()
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)

    def _raise_for_state(self) -> None:
        name = self._source.name
        if self._failure is not None:
            raise self._failure
        if self.state == "closed":
            raise ClosedError(f"The camera {name} is closed.", fix="Open it again with open_camera().")
        if self.state == "ended":
            raise EndOfFrames(f"There are no more frames in {name}; {self.frames} were read.")

    def _timeout(self, timeout_s: float) -> CameraError:
        name = self._source.name
        if self.state == "unplugged":
            return CameraError(
                f"The camera {name} is gone, and did not come back within {timeout_s:g} s.",
                why=self._loss.why or "Its plug was pulled, its cable or hub failed, or it lost power.",
                fix=(self._loss.why and self._loss.fix)
                or "Plug it in again: it is looked for all the time, and the next capture() finds it.",
            )
        return CameraError(
            f"The camera {name} gave no frame within {timeout_s:g} s.",
            why="It is slow, hangs, or shares a crowded USB bus.",
            fix="Wait longer with capture(timeout_s=...), or pull its plug and put it in again.",
        )

    def _run(self) -> None:
        sequence = 0
        try:
            while not self._stopping.is_set() and self._has_room():
                started_s = self._clock()
                if not self._read(sequence):
                    break
                sequence += 1
                self._keep_interval(started_s)
        except BaseException as error:
            with self._changed:
                self._failure = error
        finally:
            self._source.close()
            with self._changed:
                if self.state != "closed":
                    self.state = "ended"
                self._changed.notify_all()

    def _has_room(self) -> bool:
        """Wait until a frame may be read: at once where the newest wins."""
        with self._changed:
            while not self._source.live and self._item is not None and not self._stopping.is_set():
                self._changed.wait()
        return not self._stopping.is_set()

    def _keep_interval(self, started_s: float) -> None:
        rest_s = self._source.interval_s - (self._clock() - started_s)
        if rest_s > 0:
            self._wait(rest_s)

    def _read(self, sequence: int) -> bool:
        """Read one frame into the slot; tell whether to go on."""
        item: Frame | FrameError | None
        try:
            item = self._source.read(sequence)
        except FrameError as error:
            item = error
        except CameraError as error:
            if not self._source.live:
                raise
            return self._reopen(error)
        if item is None:
            return False
        self._put(item)
        return True

    def _put(self, item: Frame | FrameError) -> None:
        frozen = self._source.live and isinstance(item, Frame) and self._is_frozen(item)
        with self._changed:
            if self._stopping.is_set():
                return
            if frozen != (self.state == "frozen"):
                log.warning("The camera %s %s", self._source.name, "is frozen" if frozen else "moves again")
            self.state = "frozen" if frozen else "open"
            self.frames += 1
            self.dropped += isinstance(self._item, Frame)
            self._item = self._frozen() if frozen else item
            self._changed.notify_all()

    def _frozen(self) -> CameraError:
        name = self._source.name
        return CameraError(
            f"The camera {name} is frozen: its last {self._repeats} frames are repeats to the bit.",
            why="A sensor's noise makes every frame differ. Either the camera or its driver hangs, "
            "or it sees nothing but black or white: a lens cap, no lamp.",
            fix="Check the lamp and the cap; then pull the camera's plug and put it in again.",
        )

    def _is_frozen(self, frame: Frame) -> bool:
        digest = frame.fingerprint()
        self._repeats = self._repeats + 1 if digest in self._digests else 0
        self._digests.append(digest)
        return self._repeats >= _FROZEN_FRAMES

    def _reopen(self, error: CameraError) -> bool:
        """Look for a lost device again and again, less and less often; tell whether to go on."""
        with self._changed:
            if self._stopping.is_set():
                return False
            self.state = "unplugged"
            self._item = None  # A frame from before would be taken for one of now.
            self._loss = error
        log.warning("%s It is being looked for.", error.what)
        self._digests.clear()
        delay_s = _FIRST_RETRY_S
        while not self._wait(delay_s) and not self._stopping.is_set():
            try:
                self._source.reopen()
            except CameraError as still:
                self._loss = still
                delay_s = min(2 * delay_s, _LONGEST_RETRY_S)
                log.info("%s Next try in %g s.", still.what, delay_s)
            else:
                log.warning("The camera %s is back", self._source.name)
                return True
        return False
