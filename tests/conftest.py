"""Where tests find what lies beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MATERIAL = Path(os.environ.get("EDGE_MATERIAL", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def material() -> Path:
    """Give the folder of test material, or skip with the reason."""
    if not MATERIAL.is_dir():
        pytest.skip(f"no test material at {MATERIAL} (set EDGE_MATERIAL)")
    return MATERIAL
