"""Writes the page with the plan for every board and RAM option: ``python -m edge_sdk.memory.reference BUNDLE...``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from boards import Profile, find_profile, profiles
from edge_sdk.errors import EdgeError, OverBudget
from edge_sdk.memory.budget import board_budget
from edge_sdk.memory.plan import Plan
from edge_sdk.memory.planner import plan_for
from edge_sdk.units import format_bytes

__all__ = ["reference"]

_HEAD = """# Plans for boards

Written by `make plans`, from headers alone: what `edge plan BUNDLE --board ID --ram AMOUNT` says of each board that
the SDK knows, and of each RAM size that it is sold with. A budget is what a board can spare beside a running system
([how it is worked out](memory-plan.md#budget)). "Must fit" is the most at any moment; "with files" is what the process
takes where the kernel has no reason to drop pages. Packed weights are not there yet, so that the first start has to
fit as well.
"""
_BOARDS = "| board | RAM | budget | threads | how | cache | must fit | private | with files |"
_BUDGETS = "| budget | streaming | how | cache | must fit | private | with files |"
_SMALL_BYTES = tuple(size * 1_000_000 for size in (32, 48, 64, 80, 100, 128, 160, 200, 256, 300, 400, 512))
_SMALL_BOARD = "rpi-zero-2w"


def reference(bundles: Sequence[str]) -> str:
    """Give the plans of some bundles as one Markdown page."""
    lines = [_HEAD]
    for bundle in bundles:
        lines += [f"## {Path(bundle).stem}", "", _BOARDS, _rule(_BOARDS), *_boards(bundle), ""]
        lines += [f"With less, on a {find_profile(_SMALL_BOARD).name}:", "", _BUDGETS, _rule(_BUDGETS)]
        lines += [*_budgets(bundle), ""]
    return "\n".join(lines)


def _boards(bundle: str) -> Iterator[str]:
    for board in profiles().values():
        for ram_bytes in board.ram_options_bytes:
            ram = f"{ram_bytes >> 20} MiB" if ram_bytes < 1 << 30 else f"{ram_bytes >> 30} GiB"
            if board.unsupported:
                yield _row(board.name, ram, "", "", "does not run this SDK", "", "", "", "")
                continue
            budget = format_bytes(board_budget(board, ram_bytes).total_bytes)
            found = _plan(bundle, board, ram_bytes=ram_bytes)
            threads = str(found.threads) if isinstance(found, Plan) else ""
            yield _row(board.name, ram, budget, threads, *_figures(found))


def _budgets(bundle: str) -> Iterator[str]:
    board = find_profile(_SMALL_BOARD)
    for budget in _SMALL_BYTES:
        plain = _plan(bundle, board, budget=budget)
        yield _row(format_bytes(budget), "", *_figures(plain))
        streamed = _plan(bundle, board, budget=budget, stream=True)
        if isinstance(streamed, Plan) and streamed.tokens_per_s:
            yield _row(format_bytes(budget), f"{streamed.tokens_per_s:.2g} tokens/s", *_figures(streamed))


def _plan(
    bundle: str, board: Profile, *, budget: int | None = None, ram_bytes: int | None = None, stream: bool = False
) -> Plan | OverBudget:
    try:
        return plan_for(bundle, board=board, budget=budget, ram_bytes=ram_bytes, stream=stream)
    except OverBudget as error:
        return error


def _figures(found: Plan | OverBudget) -> tuple[str, ...]:
    if isinstance(found, OverBudget):
        return (f"refused: {found.what.rpartition(': ')[2].rstrip('.')}", "", "", "", "")
    how = ", ".join(step.name for step in found.steps if step.taken)
    refused = [section.name for section in found.sections if section.mode == "refused"]
    sizes = (found.needed_bytes, found.peak_private_bytes, found.peak_bytes)
    lost = f" ({', '.join(refused)})" if refused else ""
    return (how + lost, str(found.cache_length or ""), *map(format_bytes, sizes))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(heads: str) -> str:
    return "|" + "---|" * (heads.count("|") - 1)


if __name__ == "__main__":
    try:
        sys.stdout.write(reference(sys.argv[1:] or ["smear"]))
    except EdgeError as error:
        sys.exit(str(error))
