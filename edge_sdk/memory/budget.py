"""How much memory the SDK may take: what it is told, or what this machine or that board can spare, and why.

Swap does not count: on a board it is the card, a thousand times slower than memory and worn out by it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from boards import Profile, detect
from boards.telemetry import CgroupMemory, Memory, read_cgroup, read_memory
from edge_sdk.errors import EdgeError, OverBudget, UnitError
from edge_sdk.memory.private import private_bytes
from edge_sdk.units import format_bytes, parse_bytes

__all__ = ["Budget", "BudgetPart", "board_budget", "budget_of", "machine_budget"]

# The share of a board's RAM that programs ever see; firmware, GPU and the kernel's own tables keep the rest. The
# least of the boards known here: of 512 MiB the Raspberry Pi's firmware takes 64 for the GPU (gpu_mem in
# https://www.raspberrypi.com/documentation/computers/config_txt.html) and the kernel about 30.
_BOARD_SHARE = 0.8
# Assumed of a board that is not here: what a Debian without a desktop takes once it runs, or a quarter of a small
# board, on which nobody would run one.
_SYSTEM_BYTES, _SYSTEM_SHARE = 96 << 20, 0.25
# Kept free of everything that was counted: for the system (logins, logs, network buffers; page tables and children of
# this process, which no budget sees) and for the camera (a V4L2 queue of four 1280x720 YUYV frames is 7.4 MB, a
# child process that decodes takes the rest).
_RESERVE_SYSTEM, _RESERVE_CAMERA = (64 << 20, 1 / 16), (32 << 20, 1 / 16)
# Free room in zram counts at a quarter. It holds two bytes in one (the ratio that
# https://docs.kernel.org/admin-guide/blockdev/zram.html expects), which frees half a byte for each one stored; half of
# that again, because what is stored must be other programs' idle memory: ours is used at every token.
_ZRAM_RATE = 0.25
_VARIABLE = "EDGE_BUDGET"
_DECIMAL = 0.9  # 4GB in bytes, as a share of 4GiB, with room for rounding


@dataclass(frozen=True, slots=True)
class BudgetPart:
    """A figure that went into a budget; negative where it was taken off."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Budget:
    """How much memory may be taken, and why that much.

    Attributes
    ----------
    total_bytes : int
        Private memory together with the file-backed pages that are in use all the time.
    reason : str
        A sentence for people.
    parts : tuple of BudgetPart
        The figures it was made of.
    board : str
        The name of the board that it was made for; empty for this machine or for no board in particular.
    """

    total_bytes: int
    reason: str
    parts: tuple[BudgetPart, ...] = ()
    board: str = ""

    def __str__(self) -> str:
        return f"{format_bytes(self.total_bytes)} ({self.reason})"

    def as_json(self) -> dict[str, object]:
        """Give it as what JSON knows."""
        parts = {part.name: part.size_bytes for part in self.parts}
        return {"total_bytes": self.total_bytes, "reason": self.reason, "parts": parts, "board": self.board or None}


def budget_of(
    said: str | int | None = None,
    *,
    board: Profile | None = None,
    ram_bytes: int | None = None,
    root: str | Path = "/",
) -> Budget:
    """Say how much memory may be taken.

    Parameters
    ----------
    said : str or int, optional
        What the user says, such as ``"512MB"``; it is taken as it is. By default what ``EDGE_BUDGET`` in the
        environment says of this machine, where that is set and not empty.
    board : Profile, optional
        A board that is not this machine, to plan for.
    ram_bytes : int, optional
        Which of the board's RAM options; the smallest by default.
    root : path
        The folder that stands for ``/``.

    Returns
    -------
    Budget
        Where nothing is said and no board is given: the least of what this machine has available, of the room in its
        control groups and of the board's share, less a reserve.

    Raises
    ------
    UnitError
        What was said is no amount of memory.
    EdgeError
        The board does not come with that much RAM, or RAM was said without a board.
    OverBudget
        The board's RAM is not known, so nothing can be planned for it.
    """
    if ram_bytes is not None:
        ram_bytes = _ram_option(board, ram_bytes)
    if said is not None:
        return _asked(parse_bytes(said), board, root)
    if board is not None:
        return board_budget(board, ram_bytes)
    if (size_bytes := _environment_bytes(root)) is not None:
        return _asked(size_bytes, None, root, f" in {_VARIABLE}")
    found = detect(root)
    return machine_budget(
        read_memory(root), read_cgroup(root), private_bytes(Path(root, "proc/self/status")), found.profile
    )


def _environment_bytes(root: str | Path) -> int | None:
    """Read what the environment says of this machine; None where it says nothing."""
    said = os.environ.get(_VARIABLE)
    if not said or Path(root) != Path("/"):
        return None
    try:
        return parse_bytes(said)
    except UnitError as error:
        raise UnitError(
            f"{_VARIABLE} in the environment is no amount of memory: {said!r}.",
            why=error.why,
            fix=f"export {_VARIABLE}=512MB, or unset {_VARIABLE}.",
        ) from error


def _ram_option(board: Profile | None, ram_bytes: int) -> int:
    """Return which RAM option is meant; 4GB stands for 4GiB, as boards are sold."""
    if board is None:
        raise EdgeError(
            "An amount of RAM says nothing without a board.",
            fix="Name the board as well (--board rpi-4b), or say how much may be taken (--budget 512MB).",
        )
    if ram_bytes < 1:
        raise EdgeError(f"{ram_bytes} bytes are no amount of RAM.", fix="Write it like 2GiB.")
    options = board.ram_options_bytes
    found = next((option for option in options if _DECIMAL * option <= ram_bytes <= option), None)
    if options and found is None:
        raise EdgeError(
            f"There is no {board.name} with {format_bytes(ram_bytes)} of RAM.",
            fix=f"It comes with: {', '.join(map(_ram, options))}.",
        )
    return found or ram_bytes


def _asked(size_bytes: int, board: Profile | None, root: str | Path, where: str = "") -> Budget:
    """Take what was said; where it is more than there is, say so."""
    if board is not None:
        return Budget(size_bytes, f"as asked for {board.name}", board=board.name)
    known = [size for size in (read_memory(root).available_bytes, read_cgroup(root).room_bytes) if size is not None]
    there = min(known, default=size_bytes) + private_bytes(Path(root, "proc/self/status"))
    doubt = f", although only {format_bytes(there)} are free" if size_bytes > there else ""
    return Budget(size_bytes, f"as asked{where}{doubt}")


def board_budget(board: Profile, ram_bytes: int | None = None) -> Budget:
    """Say how much a board can spare that is not here, from its RAM alone.

    Raises
    ------
    OverBudget
        Its RAM is not known.
    """
    ram_bytes = ram_bytes or min(board.ram_options_bytes, default=0)
    if not ram_bytes:
        raise OverBudget(
            f"How much memory {board.name} has is not known.", fix="Say how much may be taken: --budget 512MB"
        )
    share = int(ram_bytes * _BOARD_SHARE)
    system = min(_SYSTEM_BYTES, int(ram_bytes * _SYSTEM_SHARE))
    reserve = _reserve(share)
    return Budget(
        max(0, share - system + sum(part.size_bytes for part in reserve)),
        f"what {board.name} with {_ram(ram_bytes)} can spare",
        (BudgetPart("share of its RAM", share), BudgetPart("running system, assumed", -system), *reserve),
        board.name,
    )


def machine_budget(memory: Memory, cgroup: CgroupMemory, own_bytes: int, board: Profile | None = None) -> Budget:
    """Say how much this machine can spare now.

    Parameters
    ----------
    memory : Memory
        What the machine has.
    cgroup : CgroupMemory
        What its control groups leave this process.
    own_bytes : int
        Private memory that this process holds already: no longer available, but part of what a plan counts.
    board : Profile, optional
        What the machine is, where that is known.

    Raises
    ------
    OverBudget
        The kernel does not tell how much memory there is.
    """
    total, available = memory.total_bytes, memory.available_bytes
    if total is None or available is None:
        raise OverBudget(
            "How much memory there is could not be read.",
            why="/proc/meminfo has no MemTotal or no MemAvailable.",
            fix="Say how much may be taken: budget='512MB', or --budget 512MB.",
        )
    zram = _zram_bytes(memory)
    ram = (board.ram_option_bytes(total) if board else None) or total
    limits = {"memory available": available + own_bytes + zram, "share of the RAM": int(ram * _BOARD_SHARE)}
    whole = dict.fromkeys(limits, total)
    if cgroup.room_bytes is not None and cgroup.limit_bytes is not None:
        limits["room in the control group"] = cgroup.room_bytes + own_bytes
        whole["room in the control group"] = cgroup.limit_bytes
    least = min(limits, key=lambda name: limits[name])
    reserve = _reserve(whole[least])
    told = [BudgetPart(name, size) for name, size in limits.items()]
    told += [BudgetPart("of it zram", zram)] if zram else []
    return Budget(
        max(0, limits[least] + sum(part.size_bytes for part in reserve)),
        f"{least}, less a reserve for system and camera",
        (*told, *reserve),
    )


def _reserve(whole_bytes: int) -> tuple[BudgetPart, ...]:
    """Give what is kept for others, by how much there is in all; negative."""
    kinds = {"reserve for the system": _RESERVE_SYSTEM, "reserve for the camera": _RESERVE_CAMERA}
    return tuple(BudgetPart(name, -min(most, int(whole_bytes * share))) for name, (most, share) in kinds.items())


def _zram_bytes(memory: Memory) -> int:
    """Give what free room in zram is worth, a quarter of the machine's memory at the most."""
    free = sum(swap.size_bytes - swap.used_bytes for swap in memory.swaps if swap.zram)
    return int(min(free, memory.total_bytes or 0) * _ZRAM_RATE)


def _ram(size_bytes: int) -> str:
    """Write a RAM size as boards are sold: in binary units."""
    return f"{size_bytes >> 30} GB" if size_bytes % (1 << 30) == 0 else f"{size_bytes >> 20} MB"
