"""What the kernel tells of a process's memory is taken apart as it is, whatever files are called."""

from __future__ import annotations

from pathlib import Path

from edge_sdk.runtime.mapped import Mapped, read_mapped


def test_files_whose_names_are_no_text_or_hold_spaces_and_memory_of_no_file_are_told_apart(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_bytes(
        b"1000-3000 r-xp 00002000 fe:00 7                          /lib/a \xff.so\n"
        b"4000-5000 rw-p 00000000 00:00 0 \n"
        b"6000-7000 r-xp 00000000 00:00 0                          [vdso]\n"
    )
    assert list(read_mapped(maps)) == [
        Mapped(0x1000, 0x3000, b"r-xp", 0x2000, 7, b"/lib/a \xff.so"),
        Mapped(0x4000, 0x5000, b"rw-p", 0, 0, b""),
        Mapped(0x6000, 0x7000, b"r-xp", 0, 0, b"[vdso]"),
    ]
