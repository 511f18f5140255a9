"""Let go of the code that only a start ran: importing and opening a model touch 20 MB of libraries, running it a third.

Those pages stay in the system's memory as long as nobody needs the room, and what is run again comes back in
microseconds. Held by a process that does not run them they count for it, and go last where memory runs short.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from edge_sdk.runtime.mapped import MAPS, read_mapped

__all__ = ["let_go_of_code"]

_ENTRY = np.dtype("<u8")
# Bits of an entry: in memory, or in swap; and of a file. Source: admin-guide/mm/pagemap.rst of Linux.
_TAKEN, _OF_FILE = np.uint64(3 << 62), np.uint64(1 << 61)


def let_go_of_code(maps: Path = MAPS, pagemap: Path = Path("/proc/self/pagemap")) -> None:
    """Unmap what is of libraries as it is in their files; without effect where the kernel tells too little.

    Other threads may load libraries meanwhile, and close them: what is touched is kept from that, and is looked for
    only then. A library that is being loaded is waited for.

    Source: madvise(2), dlopen(3).
    """
    libc = ctypes.CDLL(None)
    with suppress(OSError), ExitStack() as kept, pagemap.open("rb", buffering=0) as entries:
        ours = ctypes.create_string_buffer(b"\1")
        page = ctypes.addressof(ours) // mmap.PAGESIZE * mmap.PAGESIZE
        if not _own(entries.fileno(), page, page + mmap.PAGESIZE):
            return  # what an emulator's process is told is of other addresses than its own
        code = {place.path for place in read_mapped(maps) if place.path and place.access == b"r-xp"}
        libraries = {path for path in code if _keep(libc, path, kept)}
        for place in read_mapped(maps):
            begin, end = place.begin, place.end
            if (
                place.path in libraries
                and place.access in (b"r-xp", b"r--p")
                and not _own(entries.fileno(), begin, end)
            ):
                libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), mmap.MADV_DONTNEED)


def _keep(libc: ctypes.CDLL, path: bytes, kept: ExitStack) -> bool:
    """Have a library stay where it is; False for a file that is none, or is not loaded."""
    if path == os.fsencode(Path("/proc/self/exe").readlink()):
        return True
    load = libc.dlopen
    load.restype = ctypes.c_void_p
    if handle := load(ctypes.c_char_p(path), os.RTLD_LAZY | os.RTLD_NOLOAD):
        kept.callback(libc.dlclose, ctypes.c_void_p(handle))
    return bool(handle)


def _own(pagemap: int, begin: int, end: int) -> bool:
    """Say whether a page is no longer as in the file: the linker wrote addresses to it, or a debugger a stop."""
    size = (end - begin) // mmap.PAGESIZE * _ENTRY.itemsize
    told = np.frombuffer(os.pread(pagemap, size, begin // mmap.PAGESIZE * _ENTRY.itemsize), _ENTRY)
    return told.nbytes < size or bool(((told & _TAKEN > 0) & (told & _OF_FILE == 0)).any())
