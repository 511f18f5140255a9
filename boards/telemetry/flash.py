"""How much of its life a soldered flash chip (eMMC) has behind it. SD cards do not tell.

Source: JEDEC JESD84-B51, DEVICE_LIFE_TIME_EST_TYP_A, _B and PRE_EOL_INFO; kernel: drivers/mmc/core/mmc.c.
"""

from __future__ import annotations

from dataclasses import dataclass

from boards.telemetry.file import Files

__all__ = ["FlashWear", "read_flash"]

_SPARE = {1: "normal", 2: "warning", 3: "urgent"}
_EXCEEDED = 0x0B


@dataclass(frozen=True, slots=True)
class FlashWear:
    """Wear of one eMMC chip or SD card."""

    name: str
    """Its block device: `mmcblk0`."""
    kind: str | None
    """`MMC` or `SD`."""
    used_at_least_percent: int | None
    """Of the more worn of its two kinds of memory, in steps of ten; None where it does not tell, as no SD card does."""
    used_at_most_percent: int | None
    """None also where it has outlived its rated life."""
    spare: str | None
    """Blocks in reserve: `normal`; `warning`, 80 % of them used up; `urgent`, 90 %."""


def read_flash(files: Files) -> tuple[FlashWear, ...]:
    """Read the wear of every chip. The kernel asks a chip once, at boot: reading again tells nothing new."""
    return tuple(_wear(files, name) for name in files.names("/sys/block", "mmcblk[0-9]+"))


def _wear(files: Files, name: str) -> FlashWear:
    folder = f"/sys/block/{name}/device"
    steps = [step for step in _hex(files, f"{folder}/life_time") if 1 <= step <= _EXCEEDED]
    spare = _hex(files, f"{folder}/pre_eol_info")
    worst = max(steps, default=None)
    return FlashWear(
        name=name,
        kind=files.text(f"{folder}/type", optional=True),
        used_at_least_percent=None if worst is None else (worst - 1) * 10,
        used_at_most_percent=None if worst is None or worst == _EXCEEDED else worst * 10,
        spare=_SPARE.get(spare[0]) if spare else None,
    )


def _hex(files: Files, path: str) -> list[int]:
    text = files.text(path, optional=True) or ""
    try:
        return [int(part, 16) for part in text.split()]
    except ValueError:
        files.note(path, f"holds {text[:40]!r}")
        return []
