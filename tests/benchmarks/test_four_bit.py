"""INT4 beside INT8 runs, in its short form; what it measures is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch, which draws the weights, is not installed: pip install -e .[train]")
COMMAND = Path(__file__).resolve().parents[2] / "benchmarks" / "four_bit.py"


def test_four_bits_beside_eight(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, str(COMMAND), "--short", "--json", str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert set(result["ratio"]) == {"decode", "prefill", "first_token", "load", "peak_rss"}
    assert 0 < result["together"]["distance"] < 0.5
    assert result["int4"]["bundle_bytes"] < result["int8"]["bundle_bytes"]
