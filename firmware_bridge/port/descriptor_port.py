"""A port over an open file descriptor: a terminal's or a socket's."""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections.abc import Callable

from firmware_bridge.error import BridgeTimeout, PortGone

__all__ = ["DescriptorPort"]

# Whoever waits looks this often whether the port was closed meanwhile: that bounds `close` without a pipe to wake by.
_SLICE_S = 0.02
_READ_BYTES = 4096
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class DescriptorPort:
    """Reads and writes a descriptor that does not block.

    Parameters
    ----------
    name : str
        For messages.
    descriptor : int
        Set to O_NONBLOCK.
    let_go : function
        Closes it; called once.
    write_s : float
        How long the other side may take no bytes.
    """

    def __init__(self, name: str, descriptor: int, let_go: Callable[[], None], *, write_s: float = 1.0) -> None:
        self.name = name
        self._descriptor, self._let_go, self._write_s = descriptor, let_go, write_s
        self._reading, self._writing, self._closing = threading.Lock(), threading.Lock(), threading.Lock()
        self._closed = self._let = False
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(descriptor, select.POLLIN)
        self._writable.register(descriptor, select.POLLOUT)

    def __repr__(self) -> str:
        return f"<{'closed ' if self._closed else ''}port {self.name}>"

    def read(self, timeout_s: float) -> bytes:
        """Give what has come, or wait for it; ``b""`` when nothing came in time."""
        with self._reading:
            while not self._closed:
                events = self._readable.poll((timeout_s if timeout_s < _SLICE_S else _SLICE_S) * 1000)
                if events:
                    if not events[0][1] & select.POLLIN:
                        raise self._gone("the other side hung up")
                    return self._take()
                timeout_s -= _SLICE_S
                if timeout_s <= 0:
                    return b""
            raise self._gone("it was closed here")

    def _take(self) -> bytes:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error.strerror or str(error)) from error
        if not data:
            raise self._gone("the other side hung up")
        return data

    def write(self, data: bytes) -> None:
        """Send all of it, within the time that was given."""
        with self._writing:
            if self._closed:
                raise self._gone("it was closed here")
            sent = self._put(data)
            if sent < len(data):
                self._push(memoryview(data)[sent:])

    def _push(self, rest: memoryview) -> None:
        """Go on where the other side took a part only."""
        end_s = time.monotonic() + self._write_s
        while rest:
            if self._closed:
                raise self._gone("it was closed here")
            if time.monotonic() > end_s:
                raise BridgeTimeout(
                    f"{self.name} takes no bytes: {len(rest)} are left.",
                    why="The microcontroller does not read, or flow control holds them back.",
                    fix="Check that it runs; unplug it and plug it in again.",
                )
            events = self._writable.poll(_SLICE_S * 1000)
            if events:
                if events[0][1] & _GONE:
                    raise self._gone("the other side hung up")
                rest = rest[self._put(rest) :]

    def _put(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone(error.strerror or errno.errorcode.get(error.errno or 0, str(error))) from error

    def close(self) -> None:
        """Let go of the descriptor once nobody uses it; twice is harmless."""
        self._closed = True
        with self._closing:
            if self._let:
                return
            self._let = True
            held = [lock for lock in (self._reading, self._writing) if lock.acquire(timeout=0.5)]
            try:
                self._let_go()
            finally:
                for lock in held:
                    lock.release()

    def _gone(self, why: str) -> PortGone:
        return PortGone(f"{self.name} is gone: {why}.", fix="Plug it in again; the bridge goes on by itself.")
