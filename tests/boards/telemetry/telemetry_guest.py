"""Runs inside the small Linux, as root: its pressure, its memory, and a limit of version 2 set by its own kernel.

Prints one line of JSON; test_reading.py starts it and reads that.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from dataclasses import asdict
from pathlib import Path

from boards.telemetry import Telemetry, read_cgroup
from boards.telemetry.file import Files

GROUPS = Path("/sys/fs/cgroup")
MB = 1_000_000


def write(path: Path, text: str) -> None:
    """Write to a file of the kernel, which takes a value in one piece."""
    path.write_text(text)


def main() -> None:
    """Make a group in a group, enter it, take memory and file pages, and leave them again."""
    report: dict[str, object] = {}
    with Telemetry() as telemetry:
        report["free"] = asdict(telemetry.read())
        outer, inner = GROUPS / "outer", GROUPS / "outer/inner"
        write(GROUPS / "cgroup.subtree_control", "+memory")
        outer.mkdir()
        write(outer / "cgroup.subtree_control", "+memory")
        inner.mkdir()
        write(outer / "memory.max", str(96 << 20))
        write(inner / "cgroup.procs", str(os.getpid()))
        report["before"] = asdict(telemetry.read().cgroup)
        ballast = bytearray(b"x") * (24 * MB)
        report["taken"], report["taken_bytes"] = asdict(telemetry.read().cgroup), len(ballast)
        with Path(sys.argv[1]).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
            # Mapped, because this file system of the guest keeps no pages of what is read.
            report["file_bytes"] = len(pages)
            assert sum(pages[:: mmap.PAGESIZE]) > 0
            report["cached"] = asdict(telemetry.read().cgroup)
            report["fresh"] = asdict(read_cgroup())
        kept = Files("/", keep=True)
        used = str(inner / "memory.current")
        report["kept"] = kept.number(used)
        write(GROUPS / "cgroup.procs", str(os.getpid()))
        inner.rmdir()
        report["gone"], report["gone_why"] = kept.number(used), kept.take_unreadable()
        kept.close()
        report["after"] = asdict(telemetry.read().cgroup)
        outer.rmdir()
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
