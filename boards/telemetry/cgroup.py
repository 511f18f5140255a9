"""What control groups leave this process: the least room of its group and of all above it, version 1, 2 or both.

A limit of a parent binds its children, so the group that matters is the one with the least room, not the process's own.
Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/memory.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from boards.telemetry.file import Files, unescaped

__all__ = ["CgroupMemory", "Hierarchy", "cgroup_now", "find_hierarchies", "read_cgroup"]

# Version 1 says "no limit" with the largest count of pages: 2^63 less a page on 64-bit kernels, 2^43 on 32-bit ones.
_NO_LIMIT_BYTES = 2**43 - 2**16


@dataclass(frozen=True, slots=True)
class CgroupMemory:
    """Memory of the group that leaves this process the least room; of its own group where none sets a limit."""

    version: int | None
    """1 or 2; None where no group counts this process's memory."""
    path: str | None
    """The group's folder, as on the board."""
    limit_bytes: int | None
    """None where there is none. The lower of `memory.max` and `memory.high`, from which the kernel slows the group."""
    used_bytes: int | None
    """All that is charged to the group, page cache included."""
    reclaimable_bytes: int | None
    """The part of `used_bytes` that is file pages on the active and inactive lists: the kernel drops them (dirty ones
    after writing them) before it kills. Not in it: shared memory, locked pages, slab. None without a limit."""
    room_bytes: int | None
    """`limit_bytes - (used_bytes - reclaimable_bytes)`, at least 0: what can still be taken before the kernel kills.
    File pages in use, such as weights that are read at every step, are among the reclaimable: count them as needed.
    None without a limit."""
    unreadable: tuple[str, ...] = ()
    """Files that could not be read, with the reason: with any here, a missing limit proves nothing. A `Reading` names
    them among its own."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where groups that may count memory are mounted."""

    version: int
    mount: str
    top: str
    """The group that the mount shows as its topmost, as `/proc/PID/cgroup` would call it."""


def read_cgroup(root: str | Path = "/", pid: int | str = "self") -> CgroupMemory:
    """Read the memory limits that hold for a process.

    Parameters
    ----------
    root : str or Path
        The folder that stands for `/`.
    pid : int or str
        The process; `self` is this one.
    """
    files = Files(root)
    found = cgroup_now(files, find_hierarchies(files), pid)
    return replace(found, unreadable=files.take_unreadable())


def find_hierarchies(files: Files) -> tuple[Hierarchy, ...]:
    """Find the mounted hierarchies that may count memory, version 1 first: where both are, it has the controller."""
    found = []
    for line in (files.whole("/proc/self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(" "), right.split(" ")
        if len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup" and "memory" in kind[2].split(","):
            found.append(Hierarchy(1, unescaped(fields[4]), unescaped(fields[3])))
        elif kind[0] == "cgroup2":
            found.append(Hierarchy(2, unescaped(fields[4]), unescaped(fields[3])))
    if not found:
        found = list(_usual(files))
    return tuple(sorted(found, key=lambda hierarchy: hierarchy.version))


def _usual(files: Files) -> Iterator[Hierarchy]:
    """Look in the places where every distribution mounts them, where the list of mounts is not to be had."""
    base = "/sys/fs/cgroup"
    if files.exists(f"{base}/memory"):
        yield Hierarchy(1, f"{base}/memory", "/")
    for mount in (base, f"{base}/unified"):
        if files.exists(f"{mount}/cgroup.controllers"):
            yield Hierarchy(2, mount, "/")


def cgroup_now(files: Files, hierarchies: tuple[Hierarchy, ...], pid: int | str = "self") -> CgroupMemory:
    """Read the limits through files that may be kept open."""
    # Opened anew each time: a process may be moved, and a file kept from before a fork tells of the parent.
    memberships = files.whole(f"/proc/{pid}/cgroup") or ""
    for hierarchy in hierarchies:
        own = _own_path(memberships, hierarchy.version)
        if own is None:
            continue
        read = _group_v1 if hierarchy.version == 1 else _group_v2
        groups = [group for folder in _folders(files, hierarchy, own) if (group := read(files, folder))]
        limited = [group for group in groups if group.limit_bytes is not None]
        if groups:
            return min(limited, key=_most_room) if limited else groups[0]
    return CgroupMemory(None, None, None, None, None, None)


def _most_room(group: CgroupMemory) -> int:
    return (group.limit_bytes or 0) if group.room_bytes is None else group.room_bytes


def _own_path(memberships: str, version: int) -> str | None:
    for line in memberships.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        mine = (number == "0" and not controllers) if version == 2 else "memory" in controllers.split(",")
        if mine and path.startswith("/"):
            return path
    return None


def _folders(files: Files, hierarchy: Hierarchy, own: str) -> Iterator[str]:
    """Give the folders of the process's group and of those above it, as far up as can be seen."""
    top = hierarchy.top.rstrip("/")
    # A container may be shown the host's path, or one outside of its namespace: then the mount's top is all there is.
    below = own[len(top) :].strip("/") if own == top or own.startswith(f"{top}/") else ""
    names = [] if ".." in below.split("/") else [name for name in below.split("/") if name]
    for depth in range(len(names), -1, -1):
        folder = "/".join([hierarchy.mount, *names[:depth]])
        # Old kernels of version 1: a group above counts this one only if it says so (always, from Linux 5.11 on).
        if (
            hierarchy.version == 1
            and depth < len(names)
            and files.text(f"{folder}/memory.use_hierarchy", optional=True) == "0"
        ):
            return
        yield folder


def _group_v1(files: Files, folder: str) -> CgroupMemory | None:
    limit = files.number(f"{folder}/memory.limit_in_bytes", optional=True)
    if limit is not None and limit >= _NO_LIMIT_BYTES:
        limit = None
    return _group(files, 1, folder, limit, "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))


def _group_v2(files: Files, folder: str) -> CgroupMemory | None:
    limits = [_limit(files, f"{folder}/{name}") for name in ("memory.max", "memory.high")]
    limit = min((limit for limit in limits if limit is not None), default=None)
    return _group(files, 2, folder, limit, "memory.current", ("inactive_file", "active_file"))


def _limit(files: Files, path: str) -> int | None:
    text = files.text(path, optional=True)
    if text is None or text == "max":
        return None
    if not text.isdecimal():
        files.note(path, f"holds {text[:40]!r}")
        return None
    return int(text)


def _group(
    files: Files, version: int, folder: str, limit: int | None, usage: str, file_pages: tuple[str, str]
) -> CgroupMemory | None:
    used = files.number(f"{folder}/{usage}", optional=True)
    if limit is None:
        return None if used is None else CgroupMemory(version, folder, None, used, None, None)
    reclaimable = _file_pages(files, f"{folder}/memory.stat", file_pages)
    if used is None:
        return CgroupMemory(version, folder, limit, None, reclaimable, None)
    if reclaimable is not None:
        reclaimable = min(reclaimable, used)  # The two are not read at the same moment.
    return CgroupMemory(version, folder, limit, used, reclaimable, max(0, limit - used + (reclaimable or 0)))


def _file_pages(files: Files, path: str, names: tuple[str, str]) -> int | None:
    # One search in C, for the table has fifty lines.
    found = re.findall(f"^(?:{'|'.join(names)}) ([0-9]+)$", files.text(path, optional=True) or "", re.MULTILINE)
    return sum(map(int, found)) if found else None
