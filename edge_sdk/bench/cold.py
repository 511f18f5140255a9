"""Have a file read from its disk again, as after a start of the machine."""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["drop_pages"]

_LOOKS, _PAGE_BYTES = 64, 4096
_KEPT = "The kernel kept the bundle: it lies in memory (tmpfs), or another process has it open."


def drop_pages(path: Path) -> str:
    """Have the kernel forget what it keeps of a file in memory; no rights are needed for that.

    Returns
    -------
    str
        Why that did not succeed, as a sentence; empty where it did.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        return f"The bundle could not be dropped from memory: {error.strerror}."
    try:
        os.fdatasync(file)  # pages that are still to be written stay
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        kept = _kept(file)
    except OSError as error:
        return f"The bundle could not be dropped from memory: {error.strerror}."
    finally:
        os.close(file)
    return _KEPT if kept else ""


def _kept(file: int) -> bool:
    """Say whether more of a file than not is still in memory, by reads that must not wait for the disk."""
    pages = max(1, os.fstat(file).st_size // _PAGE_BYTES)
    buffer, found, looks = bytearray(1), 0, 0
    for page in {pages * look // _LOOKS for look in range(_LOOKS)}:
        looks += 1
        try:
            found += os.preadv(file, [buffer], page * _PAGE_BYTES, os.RWF_NOWAIT)
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot say so, such as tmpfs
                return True
            raise
    return found > looks / 2
