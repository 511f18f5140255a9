"""Code that only a start ran is let go of, and runs again all the same."""

from __future__ import annotations

import _ctypes
import ctypes
import importlib
import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.memory.code_page import let_go_of_code

_FRESH = """
from pathlib import Path
import numpy as np
from edge_sdk.memory.code_page import let_go_of_code

def file_bytes():
    return int(Path("/proc/self/status").read_text().partition("RssFile:")[2].split()[0]) * 1024

def work():
    chance = np.random.default_rng(3)
    left = chance.random((40, 40))
    return [float(np.sort(np.linalg.solve(left, left @ left).ravel())[i]) for i in (0, 800, -1)]

before, found = file_bytes(), work()
let_go_of_code()
after = file_bytes()
print(before, after, work() == found)
"""


def test_half_of_what_a_start_touched_goes_and_the_rest_of_the_program_runs_as_before() -> None:
    ended = subprocess.run([sys.executable, "-c", _FRESH], capture_output=True, text=True, check=True)
    before, after, same = ended.stdout.split()
    assert same == "True"
    assert int(after) < int(before) * 2 / 3


Load = Callable[[bytes], tuple[int, int]]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Load a copy of some library under a name, touch its code, and give where that is; it is closed in the end."""
    with ExitStack() as opened:

        def load(name: bytes) -> tuple[int, int]:
            path = tmp_path / os.fsdecode(name)
            try:
                shutil.copy(importlib.import_module("numpy.random._mt19937").__file__ or "", path)
                opened.callback(_ctypes.dlclose, ctypes.CDLL(os.fsdecode(path))._handle)
            except OSError as error:
                pytest.skip(f"no library can be loaded from there: {error}")
            return text_of(path)

        yield load


def text_of(path: Path) -> tuple[int, int]:
    """Touch the code of a library that is loaded, and give where it is."""
    for line in Path("/proc/self/maps").read_bytes().splitlines():
        if b" r-xp " in line and os.fsencode(path.parent) in line:
            begin, end = (int(place, 16) for place in line.split()[0].split(b"-"))
            ctypes.string_at(begin, end - begin)
            return begin, end
    raise AssertionError("what was loaded is not there")


def touched(place: int) -> bool:
    """Say whether this process has a page in use."""
    with Path("/proc/self/pagemap").open("rb", buffering=0) as entries:
        return bool(os.pread(entries.fileno(), 8, place // mmap.PAGESIZE * 8)[7] & 0x80)


@pytest.mark.parametrize("name", [b"some.so", "Blutbilder f\u00fcr \u00dcbung.so".encode("latin-1"), b"a\rb.so"])
def test_a_library_goes_whatever_the_names_of_files_are_written_in(load: Load, name: bytes) -> None:
    begin, end = load(name)
    before = ctypes.string_at(begin, end - begin)
    assert touched(begin)
    let_go_of_code()
    assert not touched(begin)
    assert ctypes.string_at(begin, end - begin) == before


def test_a_library_that_was_written_to_is_left_as_it_is(load: Load) -> None:
    # A debugger's stop is a page of its own, which letting go would undo.
    begin, end = load(b"some.so")
    place = begin + (end - begin) // 2
    page = place // mmap.PAGESIZE * mmap.PAGESIZE
    protect = ctypes.CDLL(None).mprotect
    protect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    ctypes.memmove(place, b"stop", 4)
    protect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_EXEC)
    let_go_of_code()
    assert ctypes.string_at(place, 4) == b"stop"
    assert not touched(begin)  # the rest of it goes


def test_what_is_no_library_that_is_loaded_is_left_alone(tmp_path: Path) -> None:
    # So is one that another thread is just loading: for a moment it is listed in one piece, with what will be its data.
    file = tmp_path / "library.so"
    file.write_bytes(b"code" * 1024)
    with file.open("rb") as opened:
        pages = mmap.mmap(opened.fileno(), mmap.PAGESIZE, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    place = np.frombuffer(pages, np.uint8).ctypes.data
    assert pages[:4] == b"code"
    maps = tmp_path / "maps"
    line = f"{place:x}-{place + mmap.PAGESIZE:x} r-xp 00000000 fe:00 17    {file}\n"
    maps.write_text(line)
    let_go_of_code(maps)
    assert touched(place)


def test_a_kernel_that_tells_of_other_addresses_is_not_believed(load: Load) -> None:
    begin, _ = load(b"some.so")
    let_go_of_code(pagemap=Path("/dev/zero"))
    assert touched(begin)


def test_where_the_kernel_tells_nothing_nothing_happens(tmp_path: Path) -> None:
    let_go_of_code(tmp_path / "maps", tmp_path / "pagemap")
