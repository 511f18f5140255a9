"""A port handed on through a socket, so that what a program and a microcontroller say to each other can be seen."""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import threading
import time
from collections.abc import Callable

from firmware_bridge.error import BridgeError
from firmware_bridge.port.port import Port

__all__ = ["Relay"]

_SLICE_S = 0.02
_READ_BYTES = 4096
_JOIN_S = 1.0


class Relay:
    """Hands bytes on between a port and whoever opens `address`, one program at a time.

    Parameters
    ----------
    port : Port
        Closed by whoever opened it.
    number : int
        Of the socket on this machine; 0 for any that is free.
    clock : function
        Monotonic seconds.

    Attributes
    ----------
    address : str
        ``socket://127.0.0.1:7000``.

    Raises
    ------
    BridgeError
        If the socket is taken.
    """

    def __init__(self, port: Port, number: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        try:
            self._server = socket.create_server(("127.0.0.1", number))
        except OSError as error:
            raise BridgeError(
                f"Port {number} of this machine cannot be listened on.", why=str(error), fix="Take another number."
            ) from error
        self.address = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._port, self._clock = port, clock
        self._seen: queue.SimpleQueue[tuple[float, str, bytes] | BridgeError] = queue.SimpleQueue()
        self._program: socket.socket | None = None
        self._closed = False
        self._threads = [threading.Thread(target=carry, daemon=True) for carry in (self._carry_up, self._carry_down)]
        for thread in self._threads:
            thread.start()

    def read(self, timeout_s: float) -> tuple[float, str, bytes] | None:
        """Give what passed next: when, ``>`` to the microcontroller or ``<`` from it, and the bytes; None for nothing.

        Raises
        ------
        BridgeError
            If the port is gone.
        """
        try:
            seen = self._seen.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(seen, BridgeError):
            raise seen
        return seen

    def close(self) -> None:
        """Hand nothing on any more; twice is harmless."""
        self._closed = True
        for thread in self._threads:
            thread.join(_JOIN_S)
        self._hang_up()
        self._server.close()

    def _carry_down(self) -> None:
        """From the microcontroller to the program."""
        try:
            while not self._closed:
                data = self._port.read(_SLICE_S)
                if data:
                    self._seen.put((self._clock(), "<", data))
                    program = self._program
                    if program is not None:
                        with contextlib.suppress(OSError):  # it has gone, which the other thread sees too
                            program.sendall(data)
        except BridgeError as error:
            self._seen.put(error)

    def _carry_up(self) -> None:
        """From the program to the microcontroller."""
        try:
            while not self._closed:
                waited_for = self._program or self._server
                if select.select([waited_for], [], [], _SLICE_S)[0]:
                    self._take()
        except BridgeError as error:
            self._seen.put(error)

    def _take(self) -> None:
        """Let a program in, or take what it says."""
        if self._program is None:
            self._program = self._server.accept()[0]
            self._program.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return
        data = b""
        with contextlib.suppress(OSError):
            data = self._program.recv(_READ_BYTES)
        if not data:
            self._hang_up()
            return
        self._seen.put((self._clock(), ">", data))
        self._port.write(data)

    def _hang_up(self) -> None:
        program, self._program = self._program, None
        if program is not None:
            program.close()
