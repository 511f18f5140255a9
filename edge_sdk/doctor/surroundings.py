"""What a check sees of the machine: everything that it asks goes through here, so that a test can say what it is."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from boards import Board, EdgeError, detect
from boards.gpio import Chip, chip_at
from boards.telemetry.file import Files
from firmware_bridge.port.holder import holders

__all__ = ["Chip", "Space", "Surroundings"]

# Source: adjtimex(2), struct timex; its first word is the wish, 0 for none. Larger than any kernel's.
_TIMEX_BYTES, _TIME_ERROR = 512, 5


@dataclass(frozen=True, slots=True)
class Space:
    """Room on a file system; ``files_free`` is None where it does not count files."""

    device: int
    free_bytes: int
    total_bytes: int
    files_free: int | None
    read_only: bool


def space_at(path: Path) -> Space:
    """Ask a file system for its room."""
    told = os.statvfs(path)
    return Space(
        device=path.stat().st_dev,
        free_bytes=told.f_bavail * told.f_frsize,
        total_bytes=told.f_blocks * told.f_frsize,
        files_free=told.f_favail if told.f_files else None,
        read_only=bool(told.f_flag & os.ST_RDONLY),
    )


def synchronised() -> bool | None:
    """Ask the kernel whether something keeps its clock right; None where it does not say."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    state = -1 if adjtimex is None else adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else state != _TIME_ERROR


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A machine as checks see it; the one that this process runs on, where nothing else is said.

    Attributes
    ----------
    root : Path
        The folder that stands for ``/``.
    groups : frozenset of int
        Those that this process is in.
    python, python_bits, c_library
        ``(3, 11)``, 64, and the C library's name and version.
    now_s : float
        The time of day, in seconds since 1970.
    """

    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    groups: frozenset[int] = field(default_factory=lambda: frozenset({*os.getgroups(), os.getegid()}))
    python: tuple[int, int] = sys.version_info[:2]
    python_bits: int = 64 if sys.maxsize > 2**32 else 32
    c_library: tuple[str, str] = field(default_factory=platform.libc_ver)
    now_s: float = field(default_factory=time.time)
    synchronised: Callable[[], bool | None] = synchronised
    space: Callable[[Path], Space] = space_at
    chip: Callable[[Path], Chip] = chip_at

    @property
    def files(self) -> Files:
        """Read small files below the root."""
        return Files(self.root)

    @property
    def board(self) -> Board:
        """What machine this is; what it says itself where ``EDGE_BOARD`` names none that is known."""
        try:
            return detect(self.root, self.environ)
        except EdgeError:  # told by the check board.known, once
            return detect(self.root, {})

    def path(self, path: str) -> Path:
        """Give the place of a path of the machine below the root."""
        return self.root / path.lstrip("/")

    def may_use(self, node: str) -> bool:
        """Say whether this user may read and write a device."""
        return os.access(self.path(node), os.R_OK | os.W_OK)

    def group_fix(self, node: str) -> str:
        """Say how this user comes to use a device that he may not."""
        facts = self.path(node).stat()
        name, members = self._group(facts.st_gid)
        if not facts.st_mode & 0o060 or name == "root":
            return f"sudo chmod a+rw {node} (until the next start), or pull the plug and put it in again."
        if facts.st_gid in self.groups:
            return f"sudo chmod g+rw {node}"
        if self.environ.get("USER") in members:
            return f"Log out and in again: this session began before the user came into the group {name}."
        return f"sudo usermod -aG {name} $USER, then log out and in again (an open session keeps its old groups)."

    def holders(self, node: str) -> list[str]:
        """Name the programs that have a device open, as far as this user may see that."""
        return holders(node, self.path("/proc"))

    def running(self, program: str) -> bool:
        """Say whether a program of that name runs."""
        files = self.files
        # The kernel keeps 15 letters of a name.
        return any(
            files.text(f"/proc/{pid}/comm", optional=True) == program[:15] for pid in files.names("/proc", "[0-9]+")
        )

    def _group(self, number: int) -> tuple[str, list[str]]:
        """Give a group's name and its members."""
        for line in (self.files.text("/etc/group", optional=True) or "").splitlines():
            name, *rest = line.split(":")
            if rest[1:2] == [str(number)]:
                return name, rest[2].split(",") if len(rest) > 2 else []
        return str(number), []
