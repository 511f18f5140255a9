"""Code that only a start ran is let go of, and runs again all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_a_library_that_was_written_to_is_left_as_it_is(tmp_path: Path) -> None:
    # A debugger's stop is a page of its own, which letting go would undo.
    code = """
import ctypes, mmap, sys
from edge_sdk.memory.code_page import let_go_of_code
page = mmap.PAGESIZE
with open(sys.argv[1], "rb") as file:
    kept = mmap.mmap(file.fileno(), page, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
kept[:4] = b"stop"
place = ctypes.addressof(ctypes.c_char.from_buffer(kept))
ctypes.CDLL(None).mprotect(ctypes.c_void_p(place), ctypes.c_size_t(page), mmap.PROT_READ | mmap.PROT_EXEC)
let_go_of_code()
print(ctypes.string_at(place, 4))
"""
    file = tmp_path / "library.so"
    file.write_bytes(b"code" * 1024)
    ended = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert ended.stdout == "b'stop'\n"


def test_where_the_kernel_tells_nothing_nothing_happens(tmp_path: Path) -> None:
    let_go_of_code(tmp_path / "maps", tmp_path / "pagemap")
