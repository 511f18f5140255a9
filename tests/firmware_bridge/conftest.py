"""MicroPython for the tests of what runs there too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "micropython"))

from interpreter import HOW, Interpreter, found


@pytest.fixture(scope="session", params=found() or [None], ids=lambda one: one.kind if one else "none")
def micropython(request: pytest.FixtureRequest) -> Interpreter:
    """Give each MicroPython of this machine in turn, or skip with what to do."""
    if request.param is None:
        pytest.skip(HOW)
    return request.param  # type: ignore[no-any-return]
