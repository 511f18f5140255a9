"""What is mapped into this process, and where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["MAPS", "Mapped", "read_mapped"]

MAPS = Path("/proc/self/maps")


class Mapped(NamedTuple):
    """Addresses that belong together.

    Attributes
    ----------
    begin, end : int
        From where to before where they go.
    access : bytes
        ``b"r-xp"`` for code.
    offset : int
        Bytes of the file before them.
    inode : int
        Of the file; 0 without one.
    path : bytes
        Of the file, as bytes, for nobody promises that a name is text; empty without one.
    """

    begin: int
    end: int
    access: bytes
    offset: int
    inode: int
    path: bytes


def read_mapped(maps: Path = MAPS) -> Iterator[Mapped]:
    """Read what is mapped, by address; raises OSError where the kernel does not tell.

    Source: proc_pid_maps(5).
    """
    with maps.open("rb") as lines:
        for line in lines:
            where, access, offset, _, inode, *path = line.rstrip(b"\n").split(maxsplit=5)
            begin, end = (int(address, 16) for address in where.split(b"-"))
            yield Mapped(begin, end, access, int(offset, 16), int(inode), path[0] if path else b"")
