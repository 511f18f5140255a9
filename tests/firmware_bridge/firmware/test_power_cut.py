"""A power cut at any write to the flash leaves a slot that boots: on littlefs itself, with images as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from interpreter import Interpreter

from firmware_bridge.maintenance.image import build_image

HERE = Path(__file__).parent


def test_a_power_cut_at_any_write_to_the_flash_leaves_a_slot_that_boots(
    micropython: Interpreter, tmp_path: Path
) -> None:
    if micropython.kind == "node":
        pytest.skip("the npm build of MicroPython has no littlefs")
    for name in ("old", "new"):
        image = build_image({"firmware_bridge/__init__.py": "", "firmware_bridge/a.py": f"x = {name * 400!r}\n"})
        (tmp_path / name).write_bytes(image)
    told = micropython.run(HERE / "power_cut.py", str(tmp_path / "old"), str(tmp_path / "new"), heap_kb=8192)
    told = told.splitlines()[-1].split()  # before it, what the interpreter says of files that were never closed
    counts = dict(zip(told[::2], map(int, told[1::2]), strict=True))
    assert counts["cuts"] > 20
    assert counts["old"] > 0 < counts["new"]
    assert counts["factory"] == 0
    assert counts["old"] + counts["new"] == counts["cuts"]
