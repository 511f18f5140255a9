# ruff: noqa: PTH123
"""Update on a littlefs whose power goes at its Nth write, for every N. Runs in MicroPython."""

import sys
from hashlib import sha256

import vfs

from firmware_bridge.firmware import slot
from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.firmware.files import Files
from firmware_bridge.firmware.loader import Image
from firmware_bridge.firmware.upload import Upload

BLOCK, COUNT, PIECE = 512, 96, 400


class PowerCut(BaseException):
    """Nothing after this happens."""


class Flash:
    """Blocks in memory, whose last write before the power goes is done in part."""

    def __init__(self, data, left=-1):
        self.data, self.left = data, left

    def readblocks(self, block, data, offset=0):
        at = block * BLOCK + offset
        data[:] = self.data[at : at + len(data)]

    def writeblocks(self, block, data, offset=0):
        self._write(block * BLOCK + offset, data)

    def ioctl(self, op, value):
        if op == 6:
            self._write(value * BLOCK, b"\xff" * BLOCK)
        return {4: COUNT, 5: BLOCK}.get(op, 0)

    def _write(self, at, data):
        if self.left == 0:
            raise PowerCut
        self.left -= 1
        size = len(data) // 2 if self.left == 0 else len(data)
        self.data[at : at + size] = memoryview(data)[:size]
        if self.left == 0:
            raise PowerCut


def mount(data, left=-1):
    vfs.mount(vfs.VfsLfs2(Flash(data, left)), "/disk")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def begin(old):
    """Give the flash of a board that has run the old image from slot a for long."""
    data = bytearray(BLOCK * COUNT)
    vfs.VfsLfs2.mkfs(Flash(data))
    mount(data)
    files = Files("/disk")
    for place in ("/slot/factory", "/slot/a"):
        files.put(place, old)
    files.put(slot.STATE, b'{"good":"a","trial":"","tried":false}')
    vfs.umount("/disk")
    return data


def update(new):
    """Do all of an update: upload, announce, boot on trial, confirm."""
    files = Files("/disk")
    slots = slot.Slots(files, "a", False)
    upload = Upload(files, slots)
    for at in range(0, len(new), PIECE):
        upload.put("/slot/b", at, new[at : at + PIECE], len(new))
    slots.announce("b", len(new), sha256(new).digest(), lambda: None)
    name, trial = slot.boot(files)
    slot.Slots(files, name, trial).confirm()


def main():
    old, new = [read(path) for path in sys.argv[1:3]]
    base = begin(old)
    cuts, ends = 0, {}
    while True:
        cuts += 1
        data = bytearray(base)
        mount(data, cuts)
        try:
            update(new)
            done = True
        except (PowerCut, OSError, FirmwareError):
            done = False
        vfs.umount("/disk")
        mount(data)
        boots = []
        for _ in range(3):
            name, trial = slot.boot(Files("/disk"))
            place = "/disk/slot/" + (name or "factory")
            Image(place)
            assert read(place) == (new if name == "b" else old), (cuts, name)
            boots.append((name, trial))
        vfs.umount("/disk")
        assert boots[1] == boots[2], (cuts, boots)
        assert not boots[1][1], (cuts, boots)
        ends[boots[2][0]] = ends.get(boots[2][0], 0) + 1
        if done:
            assert boots[2][0] == "b"
            break
    print("cuts", cuts, "old", ends.get("a", 0), "new", ends.get("b", 0), "factory", ends.get("", 0))


if __name__ == "__main__":
    main()
