"""``edge bridge`` in this process, with folders of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sdk.cli.main import edge

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a bridge's dictionaries and records out of the user's home."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def run() -> Run:
    """Give a function that runs ``edge bridge`` with arguments; errors come through."""
    return lambda *arguments: CliRunner().invoke(edge, ["bridge", *map(str, arguments)], catch_exceptions=False)
