"""Where tests find what lies beside the project, and a home of their own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MATERIAL = Path(os.environ.get("EDGE_MATERIAL", ROOT.parent / "shared"))
HOME = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's bundles out of the tests, and the tests' packed weights out of the user's cache."""
    home = config.stash[HOME] = tempfile.TemporaryDirectory()
    os.environ["EDGE_BUNDLES"] = f"{home.name}/bundles"
    os.environ["EDGE_CACHE"] = f"{home.name}/weights"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take that home away again."""
    config.stash[HOME].cleanup()


@pytest.fixture(scope="session")
def material() -> Path:
    """Give the folder of test material, or skip with the reason."""
    if not MATERIAL.is_dir():
        pytest.skip(f"no test material at {MATERIAL} (set EDGE_MATERIAL)")
    return MATERIAL
