"""A line with faults that a host can open by name: a pseudo-terminal, or a socket, in front of a device's end."""

from __future__ import annotations

import os
import queue
import select
import socket
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

from firmware_bridge.simulation.fault import FaultPair

__all__ = ["PtyProxy", "SocketProxy"]

_CHUNK_BYTES = 65536
_IDLE_S = 1.0
_END_S = 2.0
_FULL_S = 0.1


class _Pump:
    """Carry bytes between a host's and a device's end through faults, in a thread that alone touches them."""

    def __init__(self, device: int, faults: FaultPair) -> None:
        self.faults = faults
        self._device = device
        self._host = -1
        self._closed = False
        self._asked: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(device, False)
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)

    def close(self) -> None:
        """End the thread, in bounded time; the device's end stays open; twice is harmless."""
        if not self._closed:
            self._closed = True
            os.write(self._wake_out, b"!")
            self._thread.join(_END_S)
            os.close(self._wake_in)
            os.close(self._wake_out)

    def _do(self, action: Callable[[], None]) -> None:
        """Have the thread do something between two rounds: an end that it waits for must not be closed meanwhile."""
        done = threading.Event()
        self._asked.put((action, done))
        os.write(self._wake_out, b"!")
        done.wait(_END_S)

    def _listener(self) -> int:
        """Give what tells that a host wants to come, or -1."""
        return -1

    def _accept(self) -> None:
        """Take the host in that wants to come."""

    def _lose_host(self) -> None:
        """Note that the host has gone."""

    def _run(self) -> None:
        while not self._closed:
            ends = [end for end in (self._device, self._host, self._listener(), self._wake_in) if end >= 0]
            ready = select.select(ends, [], [], self._wait_s())[0]
            if self._wake_in in ready:
                os.read(self._wake_in, 64)
            self._carry(ready)
            while not self._asked.empty():
                action, done = self._asked.get()
                action()
                done.set()

    def _wait_s(self) -> float:
        due_s = self.faults.due_s()
        return _IDLE_S if due_s is None else max(due_s - time.monotonic(), 0.0)

    def _carry(self, ready: list[int]) -> None:
        now_s = time.monotonic()
        if self._host in ready:
            data = _read(self._host)
            if data is None:
                self._lose_host()
            else:
                self.faults.to_device.put(data, now_s)
        if self._device in ready:
            data = _read(self._device)
            if data is None:
                self._device = -1
            else:
                self.faults.to_host.put(data, now_s)
        if self._listener() in ready:
            self._accept()
        now_s = time.monotonic()
        _write(self._device, self.faults.to_device.take(now_s))
        _write(self._host, self.faults.to_host.take(now_s))


class PtyProxy(_Pump):
    """A serial port by the name of `path`, which a plug can be pulled from and put back into as another tty.

    Parameters
    ----------
    device : int
        The device's end, open for reading and writing: a pseudo-terminal's master, a serial port, a socket.
    faults : FaultPair
        What the line does.
    path : Path
        The name, a link to the tty, as those of ``/dev/serial/by-id`` are.
    """

    def __init__(self, device: int, faults: FaultPair, path: Path) -> None:
        super().__init__(device, faults)
        self.path = path
        self._tty = -1
        self._last = ""
        self._plug()
        self._thread.start()

    def plug(self) -> None:
        """Put the plug in: there is a tty, another one than before."""
        self._do(self._plug)

    def unplug(self) -> None:
        """Pull the plug: the tty is gone, with all that was under way."""
        self._do(self._unplug)

    def close(self) -> None:
        """End it, and take the port away."""
        super().close()
        self._unplug()

    def _plug(self) -> None:
        self._host, self._tty = os.openpty()
        if os.ttyname(self._tty) == self._last:
            taken = self._host, self._tty
            self._host, self._tty = os.openpty()
            for end in taken:
                os.close(end)
        self._last = os.ttyname(self._tty)
        os.set_blocking(self._host, False)
        tty.setraw(self._tty)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(self._last)
        self.faults.unplug(False)

    def _unplug(self) -> None:
        self.faults.unplug()
        self.path.unlink(missing_ok=True)
        for end in (self._host, self._tty):
            if end >= 0:
                os.close(end)
        self._host = self._tty = -1


class SocketProxy(_Pump):
    """A serial line at the end of a socket, for one host at a time; `address` says where.

    Parameters
    ----------
    device : int
        The device's end.
    faults : FaultPair
        What the line does.
    """

    def __init__(self, device: int, faults: FaultPair) -> None:
        super().__init__(device, faults)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._connection: socket.socket | None = None
        self.port = self._server.getsockname()[1]
        self._thread.start()

    @property
    def address(self) -> str:
        """Where a bridge opens it."""
        return f"socket://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End it."""
        super().close()
        self._lose_host()
        self._server.close()

    def _listener(self) -> int:
        return self._server.fileno()

    def _accept(self) -> None:
        self._lose_host()
        self._connection = self._server.accept()[0]
        self._connection.setblocking(False)
        self._host = self._connection.fileno()

    def _lose_host(self) -> None:
        self._host = -1
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _read(end: int) -> bytes | None:
    """Read what is there; None when the other side has gone."""
    try:
        return os.read(end, _CHUNK_BYTES) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


def _write(end: int, data: bytes) -> None:
    """Write; what the other side does not take is lost, as where a line has no flow control."""
    while data and end >= 0:
        try:
            data = data[os.write(end, data) :]
        except BlockingIOError:
            if not select.select([], [end], [], _FULL_S)[1]:
                return
        except OSError:
            return
