"""The bench that the firmware's tests stand on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import MADE, Bench
from rig import Rig

collect_ignore = ["play_board.py", "power_cut.py"]  # programs for MicroPython


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Let go of files that uploads left open."""
    yield
    while MADE:
        MADE.pop().files.drop()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Give a server that has just started, with recorded hardware and a clock that stands."""
    return Bench(str(tmp_path))


@pytest.fixture
def rig():
    """Give an axis at its switch, 0.3125 um a step, without play."""
    rig = Rig(backlash=0)
    rig.pins.steps = -15990
    assert rig.home() == {"state": "done", "at": -5000.0, "why": ""}
    rig.pins.made_us.clear()
    return rig
