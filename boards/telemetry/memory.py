"""Memory of the whole machine: what there is, what is free, and what swap is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from boards.telemetry.file import Files, unescaped

__all__ = ["Memory", "Swap", "Zram", "memory_now", "read_memory", "zram_names"]

_ZRAM = r"zram[0-9]+"
_SIZES = re.compile("^(MemTotal|MemFree|MemAvailable|SwapTotal|SwapFree): *([0-9]+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Swap:
    """One area that memory is swapped to."""

    path: str
    kind: str
    """`partition` or `file`, as the kernel says; zram counts as a partition."""
    size_bytes: int
    used_bytes: int
    priority: int
    """The kernel fills areas of higher priority first."""
    zram: bool
    """Whether it is compressed memory, not a disk or card."""


@dataclass(frozen=True, slots=True)
class Zram:
    """One block device of compressed memory that is in use."""

    name: str
    disk_bytes: int
    """How much it may hold, uncompressed."""
    stored_bytes: int | None
    """How much it holds, uncompressed."""
    compressed_bytes: int | None
    used_bytes: int | None
    """Memory that it takes, with the allocator's overhead."""
    limit_bytes: int | None
    """The most memory it may take; None where there is no limit."""
    swap: bool
    """Whether memory is swapped to it; it may also carry a file system."""

    @property
    def ratio(self) -> float | None:
        """How many bytes are stored in one byte of memory, overhead included; None while it is empty."""
        if not self.stored_bytes or not self.used_bytes:
            return None
        return self.stored_bytes / self.used_bytes


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of the whole machine. What the kernel does not tell is None."""

    total_bytes: int | None
    """What the kernel has, after firmware and reserved regions took their share."""
    available_bytes: int | None
    """What can be had without swapping: free pages and caches that can be dropped, by the kernel's own estimate."""
    free_bytes: int | None
    swap_total_bytes: int | None
    """Of all areas, zram included."""
    swap_free_bytes: int | None
    swaps: tuple[Swap, ...]
    zrams: tuple[Zram, ...]

    @property
    def zram_swap_bytes(self) -> int:
        """Size of the swap that is compressed memory, uncompressed; swapping to it writes to no disk."""
        return sum(swap.size_bytes for swap in self.swaps if swap.zram)

    @property
    def disk_swap_bytes(self) -> int:
        """Size of the swap that lies on a disk, card or flash, which it wears."""
        return sum(swap.size_bytes for swap in self.swaps if not swap.zram)


def read_memory(root: str | Path = "/") -> Memory:
    """Read the machine's memory.

    Parameters
    ----------
    root : str or Path
        The folder that stands for `/`.

    Examples
    --------
    >>> memory = read_memory()
    >>> memory.available_bytes <= memory.total_bytes
    True
    """
    files = Files(root)
    return memory_now(files, zram_names(files))


def zram_names(files: Files) -> list[str]:
    """Find the zram devices, in use or not."""
    return files.names("/sys/block", _ZRAM)


def memory_now(files: Files, zrams: list[str]) -> Memory:
    """Read the machine's memory through files that may be kept open."""
    sizes = _meminfo(files)
    swaps = _swaps(files)
    swapped_to = {swap.path.rpartition("/")[2] for swap in swaps if swap.zram}
    found = (_zram(files, name, swap=name in swapped_to) for name in zrams)
    return Memory(
        total_bytes=sizes.get("MemTotal"),
        available_bytes=sizes.get("MemAvailable"),
        free_bytes=sizes.get("MemFree"),
        swap_total_bytes=sizes.get("SwapTotal"),
        swap_free_bytes=sizes.get("SwapFree"),
        swaps=swaps,
        zrams=tuple(zram for zram in found if zram),
    )


def _meminfo(files: Files) -> dict[str, int]:
    path = "/proc/meminfo"
    text = files.text(path, optional=True)
    sizes = {name: int(number) * 1024 for name, number in _SIZES.findall(text or "")}
    if text is not None and "MemAvailable" not in sizes:
        files.note(path, f"tells no MemAvailable: {text[:40]!r}")
    return sizes


def _swaps(files: Files) -> tuple[Swap, ...]:
    path = "/proc/swaps"
    swaps = []
    for line in (files.text(path, optional=True) or "").splitlines()[1:]:  # the first names the columns
        try:
            name, kind, size, used, priority = line.rsplit(maxsplit=4)
            # Since Linux 2.6 sizes are in kB of 1024 bytes, whatever the page size.
            area = Swap(unescaped(name), kind, int(size) * 1024, int(used) * 1024, int(priority), zram=False)
        except ValueError:
            files.note(path, f"holds {line[:40]!r}")
            continue
        if kind == "partition" and re.fullmatch(f"/dev/(block/)?{_ZRAM}", area.path):
            area = Swap(area.path, kind, area.size_bytes, area.used_bytes, area.priority, zram=True)
        swaps.append(area)
    return tuple(swaps)


def _zram(files: Files, name: str, *, swap: bool) -> Zram | None:
    """Read one device; None where it was never set up.

    Source: https://docs.kernel.org/admin-guide/blockdev/zram.html, columns of mm_stat.
    """
    folder = f"/sys/block/{name}"
    disk = files.number(f"{folder}/disksize")
    if not disk:
        return None
    path = f"{folder}/mm_stat"
    numbers: list[int] = []
    text = files.text(path)
    if text is not None:
        numbers = [int(number) for number in text.split() if number.isdecimal()]
        if len(numbers) < 4:
            files.note(path, f"holds {text[:40]!r}")
            numbers = []
    stored, compressed, used, limit = numbers[:4] or (None,) * 4
    return Zram(name, disk, stored, compressed, used, limit or None, swap)
