from __future__ import annotations

import struct
from pathlib import Path

import pytest

from boards import gpio
from boards.gpio import Chip, chip_at, chip_nodes, line_user


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give a chip's node, and a kernel that tells of it: line 3 has a user with a name, line 4 one without."""
    users = {3: (1, b"edge heater"), 4: (1, b"")}

    def ioctl(descriptor: int, request: int, data: bytes) -> bytes:
        if request == 0x8044B401:
            return struct.pack("32s32sI", b"gpiochip0", b"pinctrl-rp1", 54)
        assert request == 0xC048B402
        (line,) = struct.unpack_from("I", data)
        flags, user = users.get(line, (0, b""))
        return struct.pack("II32s32s", line, flags, b"GPIO", user)

    monkeypatch.setattr(gpio.fcntl, "ioctl", ioctl)
    node = tmp_path / "gpiochip0"
    node.touch()
    return node


def test_a_chip_tells_its_label_and_its_lines(kernel: Path) -> None:
    assert chip_at(kernel) == Chip("pinctrl-rp1", 54)


def test_the_user_of_a_line_is_named(kernel: Path) -> None:
    assert [line_user(kernel, line) for line in (2, 3, 4)] == [None, "edge heater", "the kernel"]


def test_what_is_no_chip_has_no_users(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert line_user(tmp_path / "file", 0) is None
    assert line_user(tmp_path / "none", 0) is None


def test_nodes_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("gpiochip10", "gpiochip2", "gpiochip0", "gpio"):
        (tmp_path / name).touch()
    assert [node.name for node in chip_nodes(tmp_path)] == ["gpiochip0", "gpiochip2", "gpiochip10"]
