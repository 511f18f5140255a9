"""What the drivers tell is the same in MicroPython."""

from __future__ import annotations

from pathlib import Path

from scene import play

HERE = Path(__file__).parent


def script() -> str:
    """Give the scene with its devices before it, as one text: nothing of the tests can be imported there."""
    scene = (HERE / "scene.py").read_text()
    lines = [line for line in scene.splitlines(keepends=True) if not line.startswith("from device import")]
    return (HERE / "device.py").read_text() + "".join(lines)


def test_micropython_tells_the_same_scene(micropython):
    here: list[str] = []
    play(here.append)
    assert any("25.125" in line for line in here)
    assert micropython.run(script(), heap_kb=300).splitlines() == here
