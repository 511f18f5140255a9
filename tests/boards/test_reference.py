from __future__ import annotations

import re
from pathlib import Path

import pytest

from boards import Profile, profiles
from boards.reference import reference

DOCS = Path(__file__).resolve().parents[2] / "docs"
BOARDS = [profile for profile in profiles().values() if profile.id not in ("generic", "pc")]


def test_the_page_is_what_the_tables_say() -> None:
    assert (DOCS / "reference/boards.md").read_text(encoding="utf-8") == reference(), "run `make docs`"


@pytest.mark.parametrize("profile", BOARDS, ids=lambda profile: profile.id)
def test_the_page_tells_what_is_out_of_reach_and_what_is_a_guess(profile: Profile) -> None:
    section = re.split(r"^## ", reference(), flags=re.MULTILINE)
    mine = next(text for text in section if text.startswith(f"{profile.id}: "))
    for accelerator in profile.accelerators:
        assert accelerator.note in mine
    assert profile.unsupported in mine
    in_section = set(profile.unverified) - {"clusters", "ram_options_bytes"}  # these stand in the summary
    assert mine.count(" †:") == len(in_section)


def test_the_how_to_speaks_of_the_entry_point_and_the_fields_there_are() -> None:
    page = (DOCS / "how-to/add-a-board.md").read_text(encoding="utf-8")
    assert '[project.entry-points."edge_sdk.boards"]' in page
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert code
    names: dict[str, object] = {}
    exec(code[0], names)
    board = names["BOARD"]
    assert isinstance(board, Profile)
    assert board.dot_product
    assert board.header_pin(3).chip_label == "gpio1"
