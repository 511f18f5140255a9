"""A bridge on a clock of its own, and folders for what it keeps."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "firmware_bridge"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from service_run import Run
from stand import Stand


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a bridge's dictionaries and records out of the user's home."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def stand() -> Iterator[Callable[..., Stand]]:
    """Give a function that opens a bridge to a simulated device; nothing sleeps on it."""
    made: list[Stand] = []

    def make(address: str = "sim://incubator", *, allow: tuple[str, ...] = (), dry_run: bool = False) -> Stand:
        made.append(Stand(address, allow=allow, dry_run=dry_run).open())
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def begin(stand: Callable[..., Stand], tmp_path: Path) -> Callable[..., Run]:
    def make(text: str, address: str = "sim://incubator?pace=40&seed=150", *, act: bool = True, **more: Any) -> Run:
        stood = stand(address, allow=("heater", "fan", "lamp", "x"), dry_run=not act)
        return Run(stood, tmp_path / "rules.toml", text, act=act, **more)

    return make
