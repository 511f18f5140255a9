"""Rows come into memory one by one, and are what the file says."""

from __future__ import annotations

import mmap
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.bundle.row_table import RowTable
from edge_sdk.runtime.rows import Rows

BEGIN, COUNT, ROW_BYTES = 1000, 20_000, 576
SIZE = BEGIN + COUNT * ROW_BYTES
CONTENT = random.Random(3).randbytes(SIZE)


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[mmap.mmap]:
    """A file with a table in it, mapped as models are."""
    file = tmp_path / "some.tflite"
    file.write_bytes(CONTENT)
    with file.open("rb") as stream:
        yield mmap.mmap(stream.fileno(), SIZE, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)


def _taken_bytes(address: int) -> tuple[int, int]:
    """Return how much of the mapping at an address is in memory, and how much of that is this process's own."""
    found, ours = {"Rss:": 0, "Anonymous:": 0}, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            begin, end = (int(place, 16) for place in words[0].split("-"))
            ours = address <= begin < address + SIZE or begin <= address < end
        elif ours and words[0] in found:
            found[words[0]] += int(words[1]) * 1024
    return found["Rss:"], found["Anonymous:"]


def test_a_row_takes_its_own_pages_and_reads_as_before(pages: mmap.mmap) -> None:
    view = np.frombuffer(pages, np.uint8)
    tokens = np.array([[7, 7, 12_345, COUNT - 1]], np.int32)
    Rows(RowTable(BEGIN, COUNT, ROW_BYTES), view.ctypes.data).copy(tokens)
    taken_bytes, own_bytes = _taken_bytes(view.ctypes.data)
    if not own_bytes:
        pytest.skip("this kernel is older than 5.14")
    assert taken_bytes == own_bytes <= 6 * mmap.PAGESIZE  # a row may lie in two pages
    for token in (7, 12_345, COUNT - 1):
        begin = BEGIN + token * ROW_BYTES
        assert view[begin : begin + ROW_BYTES].tobytes() == CONTENT[begin : begin + ROW_BYTES]
    pages.madvise(mmap.MADV_DONTNEED)
    assert _taken_bytes(view.ctypes.data)[1] == 0


def test_what_is_no_row_of_it_is_left_alone(pages: mmap.mmap) -> None:
    view = np.frombuffer(pages, np.uint8)
    for tokens in (np.array([-1, COUNT, 1 << 30]), np.array([3.0, np.nan])):
        Rows(RowTable(BEGIN, COUNT, ROW_BYTES), view.ctypes.data).copy(tokens)
    assert _taken_bytes(view.ctypes.data) == (0, 0)


def test_a_mapping_that_others_see_is_not_made_writable(tmp_path: Path) -> None:
    file = tmp_path / "some.tflite"
    file.write_bytes(bytes(SIZE))
    with file.open("rb") as stream:
        pages = mmap.mmap(stream.fileno(), SIZE, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        view = np.frombuffer(pages, np.uint8)
        Rows(RowTable(BEGIN, COUNT, ROW_BYTES), view.ctypes.data).copy(np.array([0, 1]))
        assert _taken_bytes(view.ctypes.data) == (0, 0)
