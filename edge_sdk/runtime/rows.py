"""Bring rows of a table into memory one by one: the kernel maps 64 kB of a file around each that is read."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

from edge_sdk.bundle.row_table import RowTable

__all__ = ["Rows"]

_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE, since Linux 5.14. Source: madvise(2)


class Rows:
    """The rows of a table in a file that is mapped privately, for reading.

    A page that is about to be written to becomes this process's own, and only that one page: so the pages of a prompt's
    rows are copied, and let go of like those of the file. For 128 tokens they take 0.5 MB, where reading them in the
    file maps 8 MB; it takes 0.2 ms. Nothing is written, and the file stays as it is. An older kernel copies none.

    Parameters
    ----------
    table : RowTable
        Where the rows are in the model.
    address : int
        Where the model is in memory.
    """

    def __init__(self, table: RowTable, address: int) -> None:
        self._table, self._begin = table, address + table.begin
        self._first = self._begin - self._begin % mmap.PAGESIZE
        end = self._begin + table.rows * table.row_bytes
        self._size = -(-end // mmap.PAGESIZE) * mmap.PAGESIZE - self._first
        libc = ctypes.CDLL(None)
        self._protect, self._advise = libc.mprotect, libc.madvise
        for call in (self._protect, self._advise):
            call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def copy(self, tokens: Any) -> None:
        """Copy the pages in which the rows of some tokens are; what is no row of it is left to the engine.

        Parameters
        ----------
        tokens : ndarray
            Of whole numbers; of others none is copied.
        """
        if tokens.dtype.kind not in "iu" or self._protect(self._first, self._size, mmap.PROT_READ | mmap.PROT_WRITE):
            return
        for token in set(tokens.ravel().tolist()):
            if 0 <= token < self._table.rows:
                begin = self._begin + token * self._table.row_bytes
                page = begin - begin % mmap.PAGESIZE
                self._advise(page, begin + self._table.row_bytes - page, _POPULATE_WRITE)
        self._protect(self._first, self._size, mmap.PROT_READ)
