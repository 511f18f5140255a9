"""Boards that are none, for tests: the firmware already on their flash, or nothing yet."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from interpreter import HERE, found

from firmware_bridge.maintenance.image import LOADER, build_image, sources

# Puts files into a new littlefs: arguments are the flash's file and its length, then pairs of place and file.
_FILL = """
import os, sys, vfs
class Flash:
    def __init__(self, size):
        self.data = bytearray(size)
    def readblocks(self, block, data, offset=0):
        at = block * 4096 + offset
        data[:] = self.data[at : at + len(data)]
    def writeblocks(self, block, data, offset=0):
        at = block * 4096 + offset
        self.data[at : at + len(data)] = data
    def ioctl(self, op, value):
        return {4: len(self.data) // 4096, 5: 4096}.get(op, 0)
flash = Flash(int(sys.argv[2]))
vfs.VfsLfs2.mkfs(flash)
vfs.mount(vfs.VfsLfs2(flash), "/disk")
os.mkdir("/disk/slot")
for place, path in zip(sys.argv[3::2], sys.argv[4::2]):
    with open(path, "rb") as source, open("/disk" + place, "wb") as target:
        target.write(source.read())
vfs.umount("/disk")
with open(sys.argv[1], "wb") as file:
    file.write(flash.data)
"""


def unix() -> str:
    """Give MicroPython's Unix port, which alone has a littlefs, or skip."""
    for one in found():
        if one.kind == "unix":
            return one.program
    pytest.skip("no Unix port of MicroPython here: let EDGE_MICROPYTHON name one")


def flashed(folder: Path, files: dict[str, bytes], size: int = 1 << 20) -> Path:
    """Make the flash of a board with some files on it."""
    given = []
    for number, (place, data) in enumerate(files.items()):
        path = folder / f"{number}.bin"
        path.write_bytes(data)
        given += [place, str(path)]
    script, flash = folder / "fill.py", folder / "flash"
    script.write_text(_FILL)
    subprocess.run([unix(), "-X", "heapsize=8M", str(script), str(flash), str(size), *given], check=True)
    return flash


def board(folder: Path, base: Path, **how: Any) -> Desk:
    """Put a board on the desk, with a copy of a flash."""
    flash = folder / "copy"
    shutil.copy(base, flash)
    return Desk(unix(), flash, **how)


def firmware(version: str = "0.1.0", **changed: str) -> bytes:
    """Make an image that says another version, with modules of the folder firmware changed."""
    files = sources()
    place = "firmware_bridge/firmware/"
    told = files[place + "group_edge.py"]
    files[place + "group_edge.py"] = told.replace('VERSION = "0.1.0"', f'VERSION = "{version}"')
    files.update({f"{place}{name}.py": text for name, text in changed.items()})
    return build_image(files)


def whole() -> dict[str, bytes]:
    """Give the files of a board that was just flashed."""
    return {"/slot/factory": build_image(), "/main.py": LOADER.read_bytes()}


__all__ = ["HERE", "board", "firmware", "flashed", "unix", "whole"]
