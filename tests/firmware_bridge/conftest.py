"""MicroPython for the tests of what runs there too, and folders of their own for what a bridge keeps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "micropython"))

from interpreter import HOW, Interpreter, found


@pytest.fixture(scope="session", params=found() or [None], ids=lambda one: one.kind if one else "none")
def micropython(request: pytest.FixtureRequest) -> Interpreter:
    """Give each MicroPython of this machine in turn, or skip with what to do."""
    if request.param is None:
        pytest.skip(HOW)
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a bridge's dictionaries and records out of the user's home."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
