"""GPIO chips by their labels, as the kernel tells them; nothing here changes a line."""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Chip", "chip_at", "chip_nodes", "line_user"]

# Source: Linux' include/uapi/linux/gpio.h, struct gpiochip_info, and struct gpioline_info of version 1, whose numbers
# every kernel since 4.8 takes: line, flags, its own name, its user.
_GET_CHIPINFO, _GET_LINEINFO = 0x8044B401, 0xC048B402
_CHIPINFO, _LINEINFO = struct.Struct("32s32sI"), struct.Struct("II32s32s")
_USED = 1


@dataclass(frozen=True, slots=True)
class Chip:
    """A GPIO chip as its driver describes it."""

    label: str
    lines: int


def chip_at(node: Path) -> Chip:
    """Ask a GPIO chip what it is; opening it changes no line."""
    _, label, lines = _CHIPINFO.unpack(_ask(node, _GET_CHIPINFO, bytes(_CHIPINFO.size)))
    return Chip(_text(label), lines)


def chip_nodes(root: Path = Path("/dev")) -> list[Path]:
    """List the nodes of all chips, by their numbers."""
    return sorted(root.glob("gpiochip*"), key=lambda node: (len(node.name), node.name))


def line_user(node: Path, line: int) -> str | None:
    """Name what uses a line, None where nothing does or the kernel does not tell."""
    try:
        told = _LINEINFO.unpack(_ask(node, _GET_LINEINFO, _LINEINFO.pack(line, 0, b"", b"")))
    except OSError:
        return None
    return (_text(told[3]) or "the kernel") if told[1] & _USED else None


def _ask(node: Path, request: int, data: bytes) -> bytes:
    descriptor = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return fcntl.ioctl(descriptor, request, data)
    finally:
        os.close(descriptor)


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode(errors="replace")
