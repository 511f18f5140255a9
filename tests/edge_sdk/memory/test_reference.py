from __future__ import annotations

from pathlib import Path

import pytest

from boards import profiles
from edge_sdk.memory.reference import reference

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/board-plans.md"


@pytest.fixture(scope="module")
def anew() -> str:
    """The page for the shipped bundle, written now."""
    return reference(["smear"])


def rows(page: str) -> list[list[str]]:
    """Give the cells of the shipped bundle's tables."""
    section = page.split("\n## smear\n")[1].split("\n## ")[0]
    return [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]


def test_the_page_has_every_board_with_every_ram_option(anew: str) -> None:
    wanted = [
        (board.name, f"{ram >> 20} MiB" if ram < 1 << 30 else f"{ram >> 30} GiB")
        for board in profiles().values()
        for ram in board.ram_options_bytes
    ]
    found = [(row[0].strip(), row[1].strip()) for row in rows(anew)]
    assert [item for item in found if item in wanted] == wanted


def test_the_page_in_the_docs_has_the_shape_of_one_written_now(anew: str) -> None:
    # Boards, budgets and threads follow from tables; the rest changes with every figure that is measured better.
    shape = [[row[0], *(row[1:4] if len(row) == 9 else [])] for row in rows(anew)]
    assert [[row[0], *(row[1:4] if len(row) == 9 else [])] for row in rows(PAGE.read_text())] == shape, (
        "run: make plans"
    )


def test_a_board_that_runs_the_sdk_has_figures_or_a_refusal_in_every_row(anew: str) -> None:
    for row in rows(anew):
        if len(row) == 9 and row[0].strip() != "board":
            assert row[4].strip() in ("does not run this SDK",) or row[4].startswith(" refused") or " MB" in row[6]
