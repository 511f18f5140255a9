"""Pages of mapped files, as the kernel shows them."""

from __future__ import annotations

import gc
import mmap
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.memory.mapping import Mapping, Pages, find_mapping

MIB = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(np.random.default_rng(7).bytes(3 * MIB + 5000))
    return path


def test_a_mapped_file_is_found_in_memory(file: Path) -> None:
    assert find_mapping(file) is None
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        found = find_mapping(file)
        assert found is not None
        assert found.size_bytes == file.stat().st_size
        assert found.address == np.frombuffer(mapped, np.uint8).ctypes.data
        gc.collect()
    assert find_mapping(file / "none") is None


def test_a_mapped_file_is_found_among_others_whose_names_are_no_text(file: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    other = "1000-2000 r--s 00000000 fe:00 5    /media/für.litertlm\n".encode("latin-1")
    maps.write_bytes(other + f"4000-9000 r--s 00000000 fe:00 {file.stat().st_ino}    {file}\n".encode())
    assert find_mapping(file, maps) == Mapping(file, 0x4000, 0x5000)


def test_the_kernel_shows_what_was_touched_and_forgets_what_was_dropped(file: Path) -> None:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        place = find_mapping(file)
        assert place is not None
        pages = Pages(place)
        assert pages.count == 4
        for chunk in range(pages.count):
            pages.drop(chunk)
            assert not pages.used(chunk)
        assert mapped[2 * MIB + 70_000] == file.read_bytes()[2 * MIB + 70_000]
        assert [pages.used(chunk) for chunk in range(4)] == [False, False, True, False]
        for chunk in range(pages.count):
            pages.fetch(chunk)
        assert mapped[:] == file.read_bytes()
        assert not pages.missing().any()
        pages.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            pages.drop(0)


def test_a_file_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Pages(Mapping(tmp_path / "none", 0, MIB))
