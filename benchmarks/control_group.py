"""Control groups with a memory limit, for benchmarks that show what happens under one; versions 1 and 2.

Source: docs.kernel.org/admin-guide/cgroup-v1/memory.html, docs.kernel.org/admin-guide/cgroup-v2.html.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Group", "drop_pages", "group", "may_limit"]


class Group:
    """A control group with a memory limit and without swap."""

    def __init__(self, limit_bytes: int) -> None:
        self.v1 = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists()
        root = Path("/sys/fs/cgroup/memory" if self.v1 else "/sys/fs/cgroup")
        if not self.v1:
            (root / "cgroup.subtree_control").write_text("+memory")
        self.folder = root / f"edge-benchmark-{os.getpid()}"
        self.folder.mkdir()
        (self.folder / ("memory.limit_in_bytes" if self.v1 else "memory.max")).write_text(str(limit_bytes))
        with suppress(OSError):  # a kernel without swap has no such file
            (self.folder / ("memory.swappiness" if self.v1 else "memory.swap.max")).write_text("0")

    def command(self, command: list[str]) -> list[str]:
        """Give the command that runs another inside."""
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]

    def peak_bytes(self) -> int | None:
        """Return the most that was charged to it; None where the kernel does not tell."""
        file = self.folder / ("memory.max_usage_in_bytes" if self.v1 else "memory.peak")
        return int(file.read_text()) if file.exists() else None

    def oom_kills(self) -> int:
        """Return how many processes in it the kernel has killed."""
        text = (self.folder / ("memory.oom_control" if self.v1 else "memory.events")).read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))

    def close(self) -> None:
        """Take it away, with what is left in it."""
        for _ in range(50):
            for pid in (self.folder / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), 9)
            with suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.1)


@contextmanager
def group(limit_mb: int) -> Iterator[Group]:
    """Have a control group for the length of a block."""
    made = Group(limit_mb * 1_000_000)
    try:
        yield made
    finally:
        made.close()


def may_limit() -> str:
    """Say why no control group can be made here; empty where one can."""
    try:
        with group(64):
            return ""
    except OSError as error:
        return f"no control group can be made here: {error.strerror} ({error.filename})"


def drop_pages(*places: Path) -> None:
    """Have the kernel drop what it holds of files, of those in folders too."""
    for place in places:
        for file in place.rglob("*") if place.is_dir() else [place]:
            if file.is_file():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())  # what is not written yet cannot be dropped
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
