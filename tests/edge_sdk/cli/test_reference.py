from __future__ import annotations

from pathlib import Path

from edge_sdk.cli.reference import reference

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/cli.md"


def test_the_reference_is_what_the_commands_say() -> None:
    assert PAGE.read_text() == reference(), "run: make docs"


def test_every_command_shows_an_example() -> None:
    for section in reference().split("\n## edge ")[1:]:
        if "Commands:" not in section:
            assert "Examples:" in section, section.splitlines()[0]
