"""The USB serial port of a microcontroller, taken over from the REPL."""

import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_INTERRUPT = 3  # Ctrl-C
_INTERRUPTS = 3  # so many in a row end the firmware: no line holds that byte, and noise hardly makes three
_MOST_BYTES = 64  # that are read at once: each takes a small chip 20 us, and axes wait meanwhile
_PIECE_BYTES = 64
_FULL_MS = 20  # without room for a piece what remains is dropped, as a UART does


class Console:
    """Bytes from and to the other side.

    Parameters
    ----------
    incoming, outgoing : stream
        Standard input and output, of bytes, unless given.
    """

    def __init__(self, incoming: "Any" = None, outgoing: "Any" = None) -> None:
        self._in: Any = incoming or sys.stdin.buffer
        self._out: Any = outgoing or sys.stdout.buffer
        self._buffer = bytearray(_MOST_BYTES)
        self._byte = bytearray(1)
        self._interrupts = 0
        self._readable = _waiter(incoming or sys.stdin, select.POLLIN)
        self._writable = _waiter(outgoing or sys.stdout, select.POLLOUT)  # which the ports tell since 1.20

    def read(self, wait_ms: int = 0) -> bytes:
        """Give what has come in, 64 bytes at most, or nothing when nothing comes within the time.

        Raises
        ------
        KeyboardInterrupt
            When three Ctrl-C came in a row: somebody wants the REPL.
        """
        count = 0
        while count < _MOST_BYTES and _ready(self._readable, 0 if count else wait_ms):
            if not self._in.readinto(self._byte):  # one at a time: the ports wait until all that was asked for is there
                break
            byte = self._byte[0]
            self._interrupts = self._interrupts + 1 if byte == _INTERRUPT else 0
            if self._interrupts == _INTERRUPTS:
                raise KeyboardInterrupt
            self._buffer[count] = byte
            count += 1
        return bytes(memoryview(self._buffer)[:count])

    def write(self, data: bytes) -> None:
        """Send bytes, for a bounded time: what nobody takes is lost, and asked for again."""
        for at in range(0, len(data), _PIECE_BYTES):
            if not _ready(self._writable, _FULL_MS):
                return
            self._out.write(data[at : at + _PIECE_BYTES])
        if hasattr(self._out, "flush"):
            self._out.flush()


def _waiter(stream: "Any", event: int) -> "Any":
    poll = select.poll()
    poll.register(stream, event)
    return getattr(poll, "ipoll", poll.poll)  # which makes no objects, on MicroPython


def _ready(wait: "Any", ms: int) -> bool:
    for _ in wait(ms):
        return True
    return False
