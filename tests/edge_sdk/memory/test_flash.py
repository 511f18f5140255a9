from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sdk.errors import StorageError
from edge_sdk.memory.flash import measure_read_rate

MIB = 1 << 20


@pytest.fixture
def disk_file() -> Iterator[Path]:
    """A file of 3 MiB on what holds the project; /tmp may be memory, which cannot be read past the cache."""
    path = Path(__file__).parent / f".rate-{os.getpid()}"
    path.write_bytes(os.urandom(3 * MIB))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        path.unlink()
        pytest.skip("this file system cannot be read past the kernel's cache")
    os.close(descriptor)
    yield path
    path.unlink()


def test_the_rate_is_what_was_read_by_the_time_it_took(disk_file: Path) -> None:
    ticks = iter((10.0, 10.5))
    assert measure_read_rate(disk_file, clock=lambda: next(ticks)) == 6 * MIB


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(StorageError, match="nowhere") as caught:
        measure_read_rate("/nowhere/bundle.litertlm")
    assert "--read-rate" in (caught.value.fix or "")
