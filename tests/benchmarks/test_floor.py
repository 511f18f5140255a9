"""The limit of decoding, in its short form; what it measures is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch, which draws the weights, is not installed: pip install -e .[train]")
COMMAND = Path(__file__).resolve().parents[2] / "benchmarks" / "floor.py"


@pytest.mark.parametrize("recipe", ["int8", "int4"])
def test_matrices_alone_beside_a_step_and_memory(recipe: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, str(COMMAND), "--short", "--json", str(out), "--threads", "1", "--recipe", recipe]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["threads"]["1"]
    # In a small bundle other constants that are packed come to as much as the matrices.
    assert 0 < found["alone_bytes"] <= found["weight_bytes"]
    assert found["step_bytes"] > found["weight_bytes"]
    assert found["matrices_of_step"]["median"] > 0  # less than 1 where nothing disturbs so short a run
    assert found["memory_bytes_per_s"]["least"] > 0
    assert "wanted_per_s" not in found
