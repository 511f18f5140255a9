"""Who holds a device: processes by number and name, as far as the system tells this user."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["holders"]


def holders(path: str, proc: str | Path = "/proc") -> list[str]:
    """Name the other processes that have a device locked or open, such as ``minicom (pid 412)``.

    Parameters
    ----------
    path : str
        The device, or a link to it.
    proc : path
        Where the kernel tells of processes.

    Source: proc_locks(5): all locks are told to everybody; whose files are open only to their owner and root.
    """
    proc = Path(proc)
    real = os.path.realpath(path)
    found = _locking(real, proc)
    for entry in proc.glob("[0-9]*"):
        try:
            if any(str(link.readlink()) == real for link in (entry / "fd").iterdir()):
                found.add(int(entry.name))
        except OSError:  # it has ended, or is another user's
            continue
    return [f"{_name(proc / str(pid))} (pid {pid})" for pid in sorted(found - {os.getpid()})]


def _locking(real: str, proc: Path) -> set[int]:
    try:
        node = Path(real).stat()
        lines = (proc / "locks").read_text().splitlines()
    except OSError:
        return set()
    # "1: FLOCK  ADVISORY  WRITE 412 00:05:87 0 EOF": major and minor of the file system in hexadecimal, then the inode
    file = f"{os.major(node.st_dev):02x}:{os.minor(node.st_dev):02x}:{node.st_ino}"
    fields = [line.split() for line in lines]
    return {int(field[4]) for field in fields if len(field) > 5 and field[5] == file and field[4].isdecimal()}


def _name(entry: Path) -> str:
    try:
        return (entry / "comm").read_text().strip() or "a process"
    except OSError:
        return "a process"
