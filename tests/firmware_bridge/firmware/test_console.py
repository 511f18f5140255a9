"""The USB port of a microcontroller: bytes as they come, a way back to the REPL, and no wait without end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from firmware_bridge.firmware.console import Console


class Ends:
    """A console with both of its ends."""

    def __init__(self) -> None:
        self.told_fd, into = os.pipe()
        out, self.heard_fd = os.pipe()
        self.into: BinaryIO = os.fdopen(out, "rb", 0)
        self.out: BinaryIO = os.fdopen(into, "wb", 0)
        self.console = Console(self.into, self.out)

    def say(self, data: bytes) -> None:
        os.write(self.heard_fd, data)

    def close(self) -> None:
        self.into.close()
        self.out.close()
        for fd in (self.told_fd, self.heard_fd):
            os.close(fd)


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


def test_every_byte_comes_as_it_was_sent(ends: Ends) -> None:
    data = bytes(byte for byte in range(256) if byte != 3)
    ends.say(data)
    assert b"".join([ends.console.read() for _ in range(4)]) == data
    assert ends.console.read() == b""
    ends.say(b"\x03\x03 \x03")
    assert ends.console.read() == b"\x03\x03 \x03"


def test_no_more_than_64_bytes_come_at_once(ends: Ends) -> None:
    ends.say(bytes(150))
    assert [len(ends.console.read(1)) for _ in range(4)] == [64, 64, 22, 0]


def test_three_ctrl_c_in_a_row_are_a_wish_for_the_repl_also_in_pieces(ends: Ends) -> None:
    ends.say(b"noise\x03\x03")
    ends.console.read()
    ends.say(b"\x03")
    with pytest.raises(KeyboardInterrupt):
        ends.console.read()


def test_what_nobody_takes_is_dropped_after_a_bounded_time(ends: Ends) -> None:
    ends.console.write(b"answer" * 30)
    assert os.read(ends.told_fd, 1000) == b"answer" * 30
    full = 1 << 20
    ends.console.write(bytes(full))
    assert 0 < len(os.read(ends.told_fd, full)) < full
