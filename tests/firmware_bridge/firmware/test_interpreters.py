"""What the firmware does is the same in MicroPython."""

from __future__ import annotations

from pathlib import Path

import pytest
from play import play

HERE = Path(__file__).parent
IMPORTS = ("from bench import CONFIG, Bench\n", "from bench import SESSION, Bench\n")


def script(name: str) -> str:
    """Give a script with the bench before it, as one text: nothing of the tests can be imported there."""
    text = (HERE / name).read_text()
    for line in IMPORTS:
        text = text.replace(line, "")
    return (HERE / "bench.py").read_text() + text


def test_micropython_tells_the_same_scene(micropython, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here: list[str] = []
    play(here.append, str(tmp_path))
    there = micropython.run(script("play.py"))
    assert len(here) > 40
    assert there.splitlines() == here


def test_no_request_leaves_anything_in_the_heap(micropython, tmp_path, monkeypatch):
    if micropython.kind == "node":
        pytest.skip("under node memory is given back between calls only")
    monkeypatch.chdir(tmp_path)
    told = micropython.run(script("heap.py"), heap_kb=300).split()
    assert told[0] == "grown"
    assert int(told[1]) <= 512
    assert told[2] == "0"
