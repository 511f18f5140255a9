"""What the tests' own MicroPython promises to those that build on it."""

from __future__ import annotations

import os
import pty
import select
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from interpreter import Interpreter, Served

ECHO = """
import os, sys
import port
from again import again

with open("starts", "a") as file:
    file.write("x")
with open("new", "w") as file:
    file.write(sys.argv[1])
os.rename("new", "name")
print("ready", sorted(os.listdir(".")))
port.write(b"\\x06ready")

def step():
    data = port.read(5)
    if data:
        port.write(data)

again(step)
"""
ALL = bytes(range(256))


class Line:
    """The near end, without a library between."""

    def __init__(self, end: str | int) -> None:
        self.fd = end if isinstance(end, int) else os.open(end, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def close(self) -> None:
        os.close(self.fd)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            assert select.select([self.fd], [], [], 20)[0], f"only {len(data)} bytes of {size} came"
            data += os.read(self.fd, size - len(data))
        return data

    def echo(self, data: bytes) -> bytes:
        os.write(self.fd, data)
        return self.read(len(data))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(ECHO)
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@contextmanager
def begin(served: Served) -> Iterator[Line]:
    with closing(Line(served.line)) as line:
        assert line.read(6) == b"\x06ready", served.printed()
        yield line


def test_a_script_says_what_it_printed_or_what_was_wrong(micropython: Interpreter) -> None:
    assert micropython.run("import sys\nprint(sys.argv[1:], sys.implementation[0])\n", "a", "b c") == (
        "['a', 'b c'] micropython\n"
    )
    with pytest.raises(AssertionError, match=r"(?s)line 2, in <module>.*ValueError: the reason"):
        micropython.run("import sys\nraise ValueError('the reason')\n")


def test_every_byte_goes_over_the_line_both_ways(micropython: Interpreter, program: Path, disk: Path) -> None:
    with micropython.serve(program, "n", disk=disk) as served, begin(served) as line:
        for data in (ALL, ALL[::-1] * 8, b"\x00", b"\x03\x04\x1a", b"\r\n\xff"):
            assert line.echo(data) == data


def test_after_a_power_cut_the_same_program_starts_on_the_same_disk_and_line(
    micropython: Interpreter, program: Path, disk: Path
) -> None:
    with micropython.serve(program, "here", disk=disk) as served, begin(served) as line:
        served.kill()
        os.write(line.fd, b"to nobody")
        assert served.process.poll() is not None
        served.restart()
        assert line.read(6 + 9) in (b"\x06readyto nobody", b"to nobody\x06ready")
        assert (disk / "starts").read_text() == "xx"
        assert (disk / "name").read_text() == "here"
        assert served.printed().splitlines()[-1] == "ready ['name', 'starts']"


def test_a_paused_program_answers_when_it_goes_on(micropython: Interpreter, program: Path, disk: Path) -> None:
    with micropython.serve(program, "n", disk=disk) as served, begin(served) as line:
        served.pause()
        os.write(line.fd, b"late")
        assert select.select([line.fd], [], [], 0.1)[0] == []
        served.resume()
        assert line.read(4) == b"late"


def test_it_may_hold_a_device_that_is_there(micropython: Interpreter, program: Path, disk: Path) -> None:
    far, near = pty.openpty()
    with closing(Line(far)) as line, micropython.serve(program, "n", disk=disk, device=os.ttyname(near)):
        os.close(near)
        assert line.read(6) == b"\x06ready"
        assert line.echo(ALL) == ALL


def test_a_closed_one_is_gone_and_may_be_closed_again(micropython: Interpreter, program: Path, disk: Path) -> None:
    served = micropython.serve(program, "n", disk=disk)
    served.close()
    served.close()
    assert served.process.poll() is not None


def test_under_node_memory_comes_back_between_two_calls(micropython: Interpreter) -> None:
    script = """
import gc
from again import again
held = []
def step():
    for _ in range(100):
        bytearray(5000)
    held.append(gc.mem_alloc())
    if len(held) == 40:
        print(max(held[20:]) - max(held[:20]))
        return True
again(step)
"""
    assert int(micropython.run(script, heap_kb=2048)) < 600_000
