"""Trees of files as kernels show them, typed here from documents and captures that each test names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Grow = Callable[[dict[str, str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Grow:
    """Give a function that writes files below a root of the test's own and returns that root."""

    def grow(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return grow
