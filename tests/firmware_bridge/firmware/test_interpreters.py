"""What the firmware does is the same in MicroPython."""

from __future__ import annotations

from pathlib import Path

from play import play

HERE = Path(__file__).parent
IMPORT = "from bench import CONFIG, Bench\n"


def test_micropython_tells_the_same_scene(micropython, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here: list[str] = []
    play(here.append, str(tmp_path))
    scene = (HERE / "play.py").read_text()
    assert IMPORT in scene
    there = micropython.run((HERE / "bench.py").read_text() + scene.replace(IMPORT, ""))
    assert len(here) > 40
    assert there.splitlines() == here
