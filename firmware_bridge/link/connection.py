"""A port that is opened, lost and opened again, and read by one thread at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from boards.errors import EdgeError
from firmware_bridge.error import BridgeClosed, BridgeError
from firmware_bridge.link.statistic import Statistics
from firmware_bridge.port.port import Port
from firmware_bridge.wire.line import LineReader

__all__ = ["SLICE_S", "Connection"]

logger = logging.getLogger("edge_sdk.bridge")

SLICE_S = 0.02
"""How long one look at the port may take: so soon a request sees that it was given up, or all was closed."""
_ANSWER_BYTES = 8192
# How often the port is looked at while nobody waits for an answer, and how often a port that is gone is tried.
_IDLE_S, _AGAIN_S = 0.05, 0.1
_JOIN_S = 2.0


class Connection:
    """Keeps a port open.

    Parameters
    ----------
    open_port : function
        Opens it.
    greet : function
        Called whenever it was opened, before it counts as up. What it raises closes the port again.
    take : function
        Given every message that comes.
    changed : function
        Called when the port was read or lost by somebody, so that those who wait look again.
    counted : Statistics
        Where disconnects and lines that were dropped are added.

    Attributes
    ----------
    port : Port or None
        None while it is gone.
    is_up, up : bool, Event
        Whether there is a port that was greeted, and the same to wait for.
    reading : lock
        Held by who reads.
    why_gone : EdgeError or None
        Why the port was lost, or cannot be opened again.
    closed : bool
        Whether `close` was called.
    """

    def __init__(
        self,
        open_port: Callable[[], Port],
        greet: Callable[[], None],
        take: Callable[[bytes], None],
        changed: Callable[[], None],
        counted: Statistics,
    ) -> None:
        self._open_port, self._greet, self._take, self._changed = open_port, greet, take, changed
        self._counted = counted
        self._lines = LineReader(_ANSWER_BYTES)
        self._exchange = threading.Lock()
        self._stir = threading.Event()
        self._thread: threading.Thread | None = None
        self.port: Port | None = None
        self.is_up, self.up = False, threading.Event()
        self.reading = threading.Lock()
        self.why_gone: EdgeError | None = None
        self.closed = False

    def open(self) -> None:
        """Open the port and greet; raises what either raises."""
        self._check_open()
        port = self._open_port()
        with self._exchange:
            self.count_lines(self._counted)
            self._lines, self.port = LineReader(_ANSWER_BYTES), port
        try:
            self._greet()
            self._check_open()
        except BaseException:
            self._drop(port)
            raise
        with self._exchange:
            if self.port is port:
                self.is_up = True
                self.up.set()

    def start(self) -> None:
        """Look after the port from now on, in a thread of its own."""
        self._thread = threading.Thread(target=self._look_after, name="bridge-reader", daemon=True)
        self._thread.start()

    def _look_after(self) -> None:
        while not self.closed:
            self._stir.wait(_IDLE_S if self.is_up else _AGAIN_S)
            self._stir.clear()
            if not self.closed:
                self.look()

    def look(self) -> None:
        """Read what nobody waits for, or try to open a port that is gone."""
        port = self.port
        if port is not None:
            if self.reading.acquire(blocking=False):
                try:
                    self.read(port, 0)
                finally:
                    self.reading.release()
                    self._changed()
            return
        try:
            self.open()
        except Exception as error:  # whatever comes from the other side, the port is tried again
            self.why_gone = error if isinstance(error, EdgeError) else BridgeError(repr(error))
            self._stir.clear()
            logger.debug("Not back yet: %s", error)

    def read(self, port: Port, timeout_s: float) -> None:
        """Read once, and hand on what came; asked by who holds the lock for that."""
        try:
            data = port.read(timeout_s)
        except BridgeError as error:
            self.lost(port, error)
            return
        if data:
            for message in self._lines.feed(data):
                self._take(message)

    def lost(self, port: Port, error: BridgeError) -> None:
        """Let go of a port that failed; it is opened again soon."""
        if self.port is port and not self.closed:
            logger.warning("The port is gone. %s", error)
            self._counted.disconnects += 1
            self.why_gone = error
        self._drop(port)

    def _drop(self, port: Port) -> None:
        with self._exchange:
            if self.port is port:
                self.port = None
                self.is_up = False
                self.up.clear()
        self._changed()
        self._stir.set()
        port.close()

    def count_lines(self, counted: Statistics) -> None:
        """Add what was dropped of this port's lines."""
        for cause, count in self._lines.dropped.items():
            if count:
                counted.dropped[cause] = counted.dropped.get(cause, 0) + count
        counted.noise_bytes += self._lines.noise_bytes

    def close(self) -> None:
        """Let go of the port for good, in bounded time; twice is harmless."""
        self.closed = True
        port = self.port
        if port is not None:
            self._drop(port)
        self._stir.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=_JOIN_S)

    def _check_open(self) -> None:
        if self.closed:
            raise self.closed_error()

    @staticmethod
    def closed_error() -> BridgeClosed:
        """Say that it was closed."""
        return BridgeClosed("The bridge was closed.", fix="Open it anew with open_bridge().")
