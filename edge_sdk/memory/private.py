"""How much memory this process holds that only it can give back."""

from __future__ import annotations

import os
import re

__all__ = ["private_bytes"]

# Packed weights without a file lie in shared memory, and can no more be dropped than any other private memory.
_PRIVATE = re.compile(rb"^Rss(?:Anon|Shmem):\s*([0-9]+) kB", re.MULTILINE)
_STATUS_BYTES = 4096


def private_bytes(status: str | os.PathLike[str] = "/proc/self/status") -> int:
    """Return the memory of this process that only it can give back; 0 where the kernel does not tell.

    Source: proc_pid_status(5).
    """
    try:
        file = os.open(status, os.O_RDONLY)
    except OSError:
        return 0
    try:
        return 1024 * sum(map(int, _PRIVATE.findall(os.read(file, _STATUS_BYTES))))
    finally:
        os.close(file)
