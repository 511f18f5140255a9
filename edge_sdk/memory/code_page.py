"""Let go of the code that only a start ran: importing and opening a model touch 20 MB of libraries, running it a third.

Those pages stay in the system's memory as long as nobody needs the room, and what is run again comes back in
microseconds. Held by a process that does not run them they count for it, and go last where memory runs short.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from contextlib import suppress
from pathlib import Path

import numpy as np

__all__ = ["let_go_of_code"]

_ENTRY = np.dtype("<u8")
# Bits of an entry: in memory, or in swap; and of a file. Source: admin-guide/mm/pagemap.rst of Linux.
_TAKEN, _OF_FILE = np.uint64(3 << 62), np.uint64(1 << 61)


def let_go_of_code(maps: Path = Path("/proc/self/maps"), pagemap: Path = Path("/proc/self/pagemap")) -> None:
    """Unmap what is of libraries as it is in their files; without effect where the kernel tells too little.

    Source: proc_pid_maps(5), madvise(2).
    """
    with suppress(OSError), maps.open() as lines, pagemap.open("rb", buffering=0) as entries:
        places = [line.split(maxsplit=5) for line in lines]
        libraries = {place[-1] for place in places if place[1] == "r-xp" and place[-1].startswith("/")}
        libc = ctypes.CDLL(None)
        for where, access, *_, path in places:
            begin, end = (int(address, 16) for address in where.split("-"))
            if access in ("r-xp", "r--p") and path in libraries and not _own(entries.fileno(), begin, end):
                libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), mmap.MADV_DONTNEED)


def _own(pagemap: int, begin: int, end: int) -> bool:
    """Say whether a page is no longer as in the file: the linker wrote addresses to it, or a debugger a stop."""
    size = (end - begin) // mmap.PAGESIZE * _ENTRY.itemsize
    told = np.frombuffer(os.pread(pagemap, size, begin // mmap.PAGESIZE * _ENTRY.itemsize), _ENTRY)
    return told.nbytes < size or bool(((told & _TAKEN > 0) & (told & _OF_FILE == 0)).any())
