"""Checks of disks, swap and flash."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from boards.telemetry.file import unescaped
from boards.telemetry.flash import FlashWear, read_flash
from boards.telemetry.memory import Swap, read_memory
from edge_sdk.bundle import bundle_folder, list_bundles
from edge_sdk.doctor.finding import Finding, failure, nothing, ok, warning
from edge_sdk.doctor.surroundings import Space, Surroundings
from edge_sdk.errors import StorageError
from edge_sdk.runtime import WeightCache
from edge_sdk.units import format_bytes

__all__ = ["disk_free", "flash_wear", "swap_flash"]

_FULL_BYTES, _LITTLE_BYTES = 16_000_000, 100_000_000
_FEW_FILES = 1000
_CARD = re.compile(r"/dev/(mmcblk|mtdblock|ubi|zd)\d")
_WORN_PERCENT = 80
_COPY = "Copy what matters to another medium, and replace it."
_TIDY = "sudo apt clean; edge bundle list shows what bundles take; du -xh --max-depth=2 ~ | sort -h shows the rest."


def disk_free(here: Surroundings) -> Iterator[Finding]:
    """Look at each file system that the SDK writes to, once."""
    seen: set[int] = set()
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        yield failure(
            "No folder for passing files can be written, neither /tmp nor another.",
            "sudo chmod 1777 /tmp, or export TMPDIR=FOLDER",
        )
    for use, folder in _folders():
        place = here.path(str(folder))
        there = next(parent for parent in (place, *place.parents) if parent.exists())
        space = here.space(there)
        if space.device not in seen:
            seen.add(space.device)
            yield _room(use, folder, space)


def _folders() -> Iterator[tuple[str, Path]]:
    cache = WeightCache.usual()
    if cache is not None:
        yield "packed weights", cache.folder
    with contextlib.suppress(StorageError):  # a user without a home has what is shipped
        yield "bundles", bundle_folder()
    with contextlib.suppress(FileNotFoundError):
        yield "passing files", Path(tempfile.gettempdir())


def _room(use: str, folder: Path, space: Space) -> Finding:
    cache = WeightCache.usual()
    most = cache.quota_bytes if cache else 0
    # Packed weights take about what the bundle does; what is beyond the quota is not kept.
    needed = max([_LITTLE_BYTES, *(stored.size_bytes for stored in list_bundles() if stored.size_bytes <= most)])
    told = f"{format_bytes(space.free_bytes)} of {format_bytes(space.total_bytes)} are free for {use} ({folder})"
    if space.read_only:
        return failure(
            f"{folder} lies on a disk that can only be read; a card that fails is often put into that state.",
            "sudo dmesg | grep -iE 'mmc|ext4|error' shows why; sudo mount -o remount,rw / tries it again.",
        )
    if space.files_free is not None and space.files_free < _FEW_FILES:
        return failure(f"{told}, but room for {space.files_free} more files only.", _TIDY)
    if space.free_bytes < _FULL_BYTES:
        return failure(f"{told}: the disk is full.", _TIDY)
    if space.free_bytes < needed:
        return warning(f"{told}; {format_bytes(needed)} should be.", _TIDY)
    return ok(f"{told}.")


def swap_flash(here: Surroundings) -> Iterator[Finding]:
    """Look where memory is swapped to."""
    memory = read_memory(here.root)
    areas = [swap for swap in memory.swaps if not swap.zram]
    on_card = [swap for swap in areas if _CARD.match(_device(here, swap))]
    for swap in on_card:
        yield warning(
            f"{format_bytes(swap.size_bytes)} of swap lie on a card ({swap.path}): slow, and it wears the card out.",
            _turn_off(here, swap),
        )
    if not on_card:
        kinds = [f"zram, {format_bytes(memory.zram_swap_bytes)}"] if memory.zram_swap_bytes else []
        kinds += [f"{swap.path}, {format_bytes(swap.size_bytes)}" for swap in areas]
        yield ok(f"Swap: {'; '.join(kinds) or 'none'}. None of it wears a card.")


def _device(here: Surroundings, swap: Swap) -> str:
    """Give the block device that an area lies on."""
    if swap.kind == "partition":
        return swap.path
    best, device = "", ""
    for line in (here.files.whole("/proc/self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        fields, source = left.split(" "), right.split(" ")
        if len(fields) < 5 or len(source) < 2:
            continue
        mount = unescaped(fields[4])
        if len(mount) > len(best) and f"{swap.path}/".startswith(f"{mount.rstrip('/')}/"):
            best, device = mount, source[1]
    # What the kernel calls /dev/root is the device with these numbers.
    return device if device != "/dev/root" else _root_device(here)


def _root_device(here: Surroundings) -> str:
    found = re.search(r"\broot=(/dev/\S+)", here.files.text("/proc/cmdline", optional=True) or "")
    if found:
        return found[1]
    # By a PARTUUID: boards start from a card where they have one.
    cards = here.files.names("/sys/block", "mmcblk[0-9]+")
    return f"/dev/{cards[0]}" if cards else ""


def _turn_off(here: Surroundings, swap: Swap) -> str:
    if here.files.exists("/etc/dphys-swapfile"):
        return "sudo dphys-swapfile swapoff && sudo systemctl disable --now dphys-swapfile"
    if here.files.exists("/etc/rpi/swap.conf"):
        return "Write Mechanism=zram under [Main] into /etc/rpi/swap.conf, then restart."
    return (
        f"sudo swapoff {swap.path}, and take its line out of /etc/fstab; zram (sudo apt install zram-tools) is better."
    )


def flash_wear(here: Surroundings) -> Iterator[Finding]:
    """Read what soldered flash says of its life."""
    chips = read_flash(here.files)
    for chip in chips:
        yield _wear(chip)
    if not chips:
        yield nothing("There is no card and no soldered flash.")


def _wear(chip: FlashWear) -> Finding:
    worn = chip.used_at_least_percent
    if worn is None and chip.spare is None:
        return nothing(f"{chip.name} is a card that does not tell how worn it is: keep a copy of what matters.")
    told = f"{chip.name} has {worn} % or more of its life behind it" if worn is not None else f"{chip.name} is worn"
    if chip.spare == "urgent" or (worn is not None and worn >= 100):
        return failure(f"{told}, and may fail any day.", _COPY)
    if chip.spare == "warning" or (worn is not None and worn >= _WORN_PERCENT):
        return warning(f"{told}, and few spare blocks." if chip.spare == "warning" else f"{told}.", _COPY)
    return ok(f"{told.replace(' or more', '')} at least, {chip.used_at_most_percent} % at most.")
