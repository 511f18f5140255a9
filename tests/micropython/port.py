"""The serial line of a program in MicroPython on a PC. What holds it is told in interpreter.py."""

import time

try:
    from os import getenv

    _line = open(int(getenv("EDGE_PORT")), "r+b")  # noqa: SIM115, PTH123
    import select

    _poll = select.poll()
    _poll.register(_line, select.POLLIN)
except ImportError:  # under node, where reading waits for a moment by itself
    _line = open("/dev/port", "r+b")  # noqa: SIM115, PTH123
    _poll = None

_buffer = bytearray(1024)
_FULL_MS = 100


def read(wait_ms: int = 0) -> bytes:
    """Give what has come in, or b"" when nothing comes within the time."""
    if _poll:
        if not _poll.poll(wait_ms):
            return b""
        return _line.read(len(_buffer)) or b""
    end = time.ticks_add(time.ticks_ms(), wait_ms)
    while True:
        size = _line.readinto(_buffer)
        if size or time.ticks_diff(end, time.ticks_ms()) <= 0:
            return bytes(memoryview(_buffer)[: size or 0])


def write(data: bytes) -> None:
    """Send bytes; what the line does not take within 100 ms is lost."""
    rest = memoryview(data)
    end = time.ticks_add(time.ticks_ms(), _FULL_MS)
    while rest and time.ticks_diff(end, time.ticks_ms()) > 0:
        rest = rest[_line.write(rest) or 0 :]
