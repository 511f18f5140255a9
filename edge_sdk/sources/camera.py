"""A camera: frames of any source, one by one, read beside whatever is done with them."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from types import TracebackType

from edge_sdk.frame import Frame
from edge_sdk.sources.pump import EndOfFrames, Pump
from edge_sdk.sources.source import Source

__all__ = ["Camera"]


class Camera:
    """Frames of one source; made by `open_camera`, used in ``with``.

    A thread of its own reads the source while the last frame is being looked at. Of a live camera the newest
    frame wins, and `dropped` counts those that nobody took; of files every frame comes, in order.

    Parameters
    ----------
    source : Source
        What is read; the camera closes it.
    timeout_s : float
        How long `capture` waits for a live camera.
    clock, wait : callable
        As `Pump` takes them.

    Examples
    --------
    >>> from edge_sdk.sources import open_camera
    >>> with open_camera("sim://smear", seed=7) as camera:
    ...     frame = camera.capture()
    >>> frame.pixels.shape, frame.source
    ((480, 640, 3), 'sim://smear')
    """

    def __init__(
        self,
        source: Source,
        *,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.source = source.name
        self._timeout_s = timeout_s if source.live else float("inf")
        self._pump = Pump(source, clock=clock, wait=wait)
        # The thread knows the pump alone: a camera that is forgotten, or open at exit, still stops it.
        self._stop = weakref.finalize(self, self._pump.stop)

    @property
    def state(self) -> str:
        """``open``, ``frozen`` (the same frames over and over), ``unplugged``, ``ended`` or ``closed``."""
        return self._pump.state

    @property
    def frozen(self) -> bool:
        """Whether the camera repeats itself to the bit, which no real sensor does."""
        return self.state == "frozen"

    @property
    def dropped(self) -> int:
        """How many frames were replaced by a newer one before anybody took them."""
        return self._pump.dropped

    def capture(self, timeout_s: float | None = None) -> Frame:
        """Give the newest frame that was not given before, waiting for one where need be.

        Parameters
        ----------
        timeout_s : float, optional
            How long to wait; by default what the camera was opened with, and without end for files.

        Raises
        ------
        CameraError
            If the camera gave no frame in time, is frozen, or is gone and did not come back in time.
        EndOfFrames
            If a file, folder or video has no more; it is a CameraError and an EOFError.
        FrameError
            If one picture of several cannot be read; the next call gives the next one.
        ClosedError
            If the camera was closed.
        """
        return self._pump.take(self._timeout_s if timeout_s is None else timeout_s)

    def __iter__(self) -> Camera:
        return self

    def __next__(self) -> Frame:
        """Give the next frame; waits for an unplugged camera as long as it takes, and ends with files."""
        try:
            return self._pump.take(float("inf"))
        except EndOfFrames:
            raise StopIteration from None

    def close(self) -> None:
        """Stop reading and let go of the source; twice is harmless."""
        self._stop()

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        pump = self._pump
        return f"<Camera {self.source}, {pump.state}, {pump.frames} frames, {pump.dropped} dropped>"
