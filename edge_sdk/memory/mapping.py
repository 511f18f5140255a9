"""A file that is mapped into this process: which of its pages are in memory, which are to come and which may go."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk.runtime.mapped import MAPS, read_mapped

__all__ = ["CHUNK_BYTES", "PAGE_BYTES", "Mapping", "Pages", "find_mapping"]

PAGE_BYTES = mmap.PAGESIZE
CHUNK_BYTES = 1 << 20
# The kernel shortens a longer request to the device's read-ahead, 128 KiB where nobody changed it.
_REQUEST_BYTES = 128 << 10
# Pages so near to a touched one are taken for touched, in the next chunk too. Source: fault_around_bytes of Linux.
_PROBE_BYTES = 64 << 10
_PRESENT = 0x80  # the highest bit of an entry. Source: admin-guide/mm/pagemap.rst of Linux.


@dataclass(frozen=True, slots=True)
class Mapping:
    """Where a file lies in this process's memory."""

    path: Path
    address: int
    size_bytes: int


def find_mapping(path: Path, maps: Path = MAPS) -> Mapping | None:
    """Find where a file was mapped last from its beginning; None where it is not, or the kernel does not tell."""
    found = None
    try:
        known = path.stat()
        name = os.fsencode(path.resolve())
        for place in read_mapped(maps):
            if place.inode == known.st_ino and place.path == name and not place.offset:
                found = Mapping(path, place.begin, min(place.end - place.begin, known.st_size))
    except OSError:
        return None
    return found


class Pages:
    """The pages of a mapped file, by chunks of 1 MiB: what is there, what is to come and what may go.

    Attributes
    ----------
    count : int
        Of the chunks.

    Raises
    ------
    OSError
        The kernel does not show which pages are in use.
    """

    def __init__(self, place: Mapping) -> None:
        self._place = place
        self.count = -(-place.size_bytes // CHUNK_BYTES)
        self._waits = 0
        self._resident = np.zeros(-(-place.size_bytes // PAGE_BYTES), np.uint8)
        libc = ctypes.CDLL(None, use_errno=True)
        self._madvise: Callable[[int, int, int], int] = libc.madvise
        self._mincore: Callable[[int, int, int], int] = libc.mincore
        libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        self._file = os.open(place.path, os.O_RDONLY)
        try:
            self._map = os.open("/proc/self/pagemap", os.O_RDONLY)
        except OSError:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Close the files; what is called after that raises OSError, as the memory may be another's by then."""
        if self._file >= 0:
            os.close(self._file)
            os.close(self._map)
            self._file = -1

    def used(self, chunk: int) -> bool:
        """Say whether the process has touched the beginning of a chunk since it was dropped."""
        begin, size = self._span(chunk)
        entry = os.pread(self._map, 8, (self._place.address + begin + min(_PROBE_BYTES, size - 1)) // PAGE_BYTES * 8)
        return bool(entry[7] & _PRESENT)

    def fetch(self, chunk: int) -> None:
        """Have a chunk read, without waiting for it; it counts as not touched from then on."""
        begin, size = self._span(chunk)
        # A thread of the engine that came late may have touched it after it was dropped.
        self.advise(chunk, mmap.MADV_DONTNEED)
        for at in range(begin, begin + size, _REQUEST_BYTES):
            length = min(_REQUEST_BYTES, begin + size - at)
            os.posix_fadvise(self._file, at, length, os.POSIX_FADV_WILLNEED)

    def drop(self, chunk: int) -> None:
        """Free a chunk's memory, unless another process has it mapped."""
        begin, size = self._span(chunk)
        self.advise(chunk, mmap.MADV_DONTNEED)
        os.posix_fadvise(self._file, begin, size, os.POSIX_FADV_DONTNEED)

    def advise(self, chunk: int, advice: int) -> None:
        """Tell the kernel how the process uses a chunk."""
        if self._file < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        begin, size = self._span(chunk)
        self._check(self._madvise(self._place.address + begin, size, advice))

    def missing(self) -> npt.NDArray[np.intp]:
        """Count the pages of each chunk that are not in memory: ``(count,)``.

        A file that the user may not write counts as there; the kernel does not tell otherwise.
        """
        self._check(self._mincore(self._place.address, self._place.size_bytes, self._resident.ctypes.data))
        starts = np.arange(0, len(self._resident), CHUNK_BYTES // PAGE_BYTES)
        return np.add.reduceat(~self._resident & 1, starts, dtype=np.intp)

    def late(self) -> int:
        """Count the pages that the process had to wait for since the last call."""
        before, self._waits = self._waits, resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        return self._waits - before

    def _span(self, chunk: int) -> tuple[int, int]:
        begin = chunk * CHUNK_BYTES
        return begin, min(CHUNK_BYTES, self._place.size_bytes - begin)

    def _check(self, status: int) -> None:
        if status:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
