"""What a loaded model asks of the kernel."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from edge_sdk.runtime.litert_program import bring_in

SIZE = 16 << 20


def _resident_bytes(file: Path) -> int:
    """Return how much of the mappings of a file is in this process's memory."""
    found, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            ours = line.endswith(f" {file}")
        elif ours and words[0] == "Rss:":
            found += int(words[1]) * 1024
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with nothing in it but holes, which take memory as other pages do."""
    path = tmp_path / "some.weights"
    with path.open("wb") as stream:
        stream.truncate(SIZE)
    return path


def test_three_quarters_of_a_mapped_file_are_brought_in(file: Path) -> None:
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        assert _resident_bytes(file) == 0
        bring_in(file, lambda: False)
        found = _resident_bytes(file)
        if not found:
            pytest.skip("this kernel is older than 5.14")
        assert SIZE * 3 // 4 <= found <= SIZE * 4 // 5
        assert len(pages) == SIZE


def test_who_does_not_want_it_any_more_waits_for_one_piece_at_the_most(file: Path) -> None:
    answers = iter([False, True])
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ):
        bring_in(file, lambda: next(answers))
        assert _resident_bytes(file) < SIZE // 2


def test_a_file_that_is_not_mapped_is_left_alone(file: Path) -> None:
    bring_in(file, lambda: False)
    assert _resident_bytes(file) == 0
