"""Trees of files as kernels show them, typed here from documents and captures that each test names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Be nobody for a while where the tests are run by root, who may read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture(name="ordinary_user")
def _ordinary_user() -> Callable[[], AbstractContextManager[None]]:
    return ordinary_user
