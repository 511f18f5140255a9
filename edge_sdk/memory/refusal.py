"""The error for a bundle that does not fit: how much is missing, and what would fit instead."""

from __future__ import annotations

from collections.abc import Iterable

from boards import Profile
from edge_sdk.errors import OverBudget
from edge_sdk.memory.budget import Budget, board_budget
from edge_sdk.memory.choice import Tried
from edge_sdk.units import format_bytes

__all__ = ["amount", "fitting_boards", "refuse"]

_BOARDS_MOST = 3


def refuse(
    bundle: str,
    budget: Budget,
    least: Tried,
    alternatives: Iterable[str],
    boards: Iterable[Profile],
    obstacle: str = "",
) -> OverBudget:
    """Make the error.

    Parameters
    ----------
    bundle : str
        What was asked for.
    least : Tried
        What needs the least of all that was tried.
    alternatives : iterable of str
        What would fit besides more memory, each as the end of "Or ...".
    boards : iterable of Profile
        Known boards.
    obstacle : str
        Why packed weights cannot be kept, where that stands in the way.
    """
    needed = least.needed_bytes
    missing = needed - budget.total_bytes
    said = amount(needed).replace(" ", "")  # no shell is to split it
    fixes = [f"Give it {amount(needed)} (budget='{said}', or --budget {said})"]
    fixes += alternatives
    if fitting := fitting_boards(needed, boards):
        fixes.append(f"take a board with more memory: {', '.join(fitting)}")
    kept = f" Packed weights cannot be kept, which would take less: {obstacle}" if obstacle else ""
    return OverBudget(
        f"{bundle} does not fit into {format_bytes(budget.total_bytes)}: {amount(missing)} are missing.",
        why=f"At the least it needs {amount(needed)}, {_described(least)}. The budget is {budget.reason}.{kept}",
        fix="; or ".join(fixes) + ".",
    )


def fitting_boards(needed_bytes: int, boards: Iterable[Profile]) -> list[str]:
    """Name the boards with the least RAM on which a need is met."""
    fitting = [
        (ram_bytes, board)
        for board in boards
        if not board.unsupported
        for ram_bytes in board.ram_options_bytes
        if board_budget(board, ram_bytes).total_bytes >= needed_bytes
    ]
    least = min((ram_bytes for ram_bytes, _ in fitting), default=0)
    return [f"{board.name} ({least >> 20} MiB)" for ram_bytes, board in fitting if ram_bytes == least][:_BOARDS_MOST]


def amount(size_bytes: int) -> str:
    """Write an amount that has to fit, in whole megabytes, rounded up.

    Examples
    --------
    >>> amount(92_100_000)
    '93 MB'
    """
    return f"{-(-size_bytes // 1_000_000)} MB"


def _described(tried: Tried) -> str:
    rung = tried.rung
    without = [name for name in rung.outline.for_task(rung.task) if name not in rung.sections]
    told = [
        (rung.outline.variant != "", f"as {rung.outline.bundle}"),
        (bool(without), f"without {', '.join(without)}"),
        (rung.sequential, "seeing and answering in turns"),
        (rung.cache_length is not None, f"with a cache of {rung.cache_length} tokens"),
        (rung.streamed, "its weights streamed from flash"),
        (not rung.weight_cache, "without a weight cache"),
        (any(section.packing_bytes for section in tried.sections), "packing its weights for the first time"),
    ]
    return ", ".join(text for holds, text in told if holds) or "with everything resident"
