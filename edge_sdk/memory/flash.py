"""What the card, disk or flash that a bundle lies on delivers, measured past the kernel's cache."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

from edge_sdk.errors import StorageError

__all__ = ["READ_RATE_BYTES_PER_S", "measure_read_rate"]

# What a card in a board's slot gives when it is read in order, where nobody measured it: the High Speed bus that
# every slot has carries 25 MB/s, a fifth less arrives. Source: SD Physical Layer Simplified Specification, bus speed
# modes; USB disks and NVMe give 10 to 100 times that.
READ_RATE_BYTES_PER_S = 20_000_000
_CHUNK_BYTES, _CHUNKS = 1 << 20, 16


def measure_read_rate(path: str | os.PathLike[str], clock: Callable[[], float] = time.perf_counter) -> int:
    """Return how many bytes a second a file is read with; reads 16 MiB of it at the most.

    Raises
    ------
    StorageError
        It cannot be read, or not past the kernel's cache (as on tmpfs).
    """
    file = Path(path)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_DIRECT)
        try:
            # A mapping of its own, because reading past the cache wants whole pages.
            with mmap.mmap(-1, _CHUNK_BYTES) as chunk:
                begin, done = clock(), 0
                for place in range(_CHUNKS):
                    done += os.preadv(descriptor, [chunk], place * _CHUNK_BYTES)
                took_s = clock() - begin
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(
            f"How fast {file} is read cannot be measured.",
            why=error.strerror or str(error),
            fix="Say it instead: --read-rate 20MB.",
        ) from error
    return max(1, int(done / max(took_s, 1e-6)))
