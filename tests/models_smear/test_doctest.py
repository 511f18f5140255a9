"""The examples in docstrings of the training scripts."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "models" / "smear"
WITH_EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py") if ">>> " in path.read_text())


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_show_what_they_say(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed
