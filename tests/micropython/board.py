# ruff: noqa: PTH116, PTH123
"""A board that is none: MicroPython with a disk of its own, a REPL and main.py, as after its power came on.

Arguments: the file that is its flash, how many times too fast its timers run, and after how many writes to the flash
its power goes (0: never). Standard input and output are its USB port. It knows enough of the raw REPL for mpremote.
"""

import os
import sys

import machine
import neopixel  # noqa: F401
import onewire  # noqa: F401
import vfs

try:
    import rp2  # noqa: F401
except ImportError:
    import esp32  # noqa: F401

BLOCK = 4096
WINDOW = 1024


def cut():
    """Cut the power."""
    os.system("kill -9 $PPID")


class Flash:
    """Blocks in a file."""

    def __init__(self, file, count, dies_at):
        self.file, self.count, self.left = file, count, dies_at

    def readblocks(self, block, data, offset=0):
        self.file.seek(block * BLOCK + offset)
        self.file.readinto(data)

    def writeblocks(self, block, data, offset=None):
        self._write(block * BLOCK + (offset or 0), data)

    def _write(self, at, data):
        self.left -= 1
        self.file.seek(at)
        self.file.write(data if self.left else data[: len(data) // 2])
        if not self.left:
            cut()

    def ioctl(self, op, value):
        if op == 6:
            self._write(value * BLOCK, b"\xff" * BLOCK)
        return {4: self.count, 5: BLOCK}.get(op, 0)


def begin():
    """Mount the flash as all there is."""
    size = os.stat(sys.argv[1])[6]
    flash = Flash(open(sys.argv[1], "r+b"), size // BLOCK, int(sys.argv[3]))  # noqa: SIM115
    os.umount("/")
    try:
        disk = vfs.VfsLfs2(flash)
    except OSError:
        vfs.VfsLfs2.mkfs(flash)
        disk = vfs.VfsLfs2(flash)
    vfs.mount(disk, "/")
    os.chdir("/")
    sys.path[:] = ["", "/lib"]
    sys.argv[1:] = []


def repl():
    """Be a REPL: the raw one, and as much of the other as it takes to get there."""
    names = {"__name__": "__main__"}
    out, into = sys.stdout.buffer, sys.stdin.buffer
    out.write(b"MicroPython 1.25 on a PC\r\n>>> ")
    raw, text = False, b""
    while True:
        byte = into.read(1)
        if byte == b"\x01" and text == b"\x05A":
            run(paste(into, out).decode(), names)
            out.write(b"\x04>")
            text = b""
        elif byte == b"\x01":
            raw, text = True, b""
            out.write(b"raw REPL; CTRL-B to exit\r\n>")
        elif byte == b"\x02":
            raw, text = False, b""
            out.write(b"\r\n>>> ")
        elif byte == b"\x03":
            text = b""
        elif byte == b"\x04" and raw and not text:
            out.write(b"OK\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>")
            names = {"__name__": "__main__"}
        elif byte == b"\x04" and raw:
            out.write(b"OK")
            run(text.decode(), names)
            text = b""
            out.write(b"\x04>")
        else:
            text += byte


def paste(into, out):
    """Take a text by raw paste: whoever sends it waits for leave after each window."""
    out.write(b"R\x01" + bytes((WINDOW & 0xFF, WINDOW >> 8)))
    text = bytearray()
    while True:
        byte = into.read(1)
        if byte == b"\x04":
            out.write(b"\x04")
            return text
        text.extend(byte)
        if len(text) % WINDOW == 0:
            out.write(b"\x01")


def run(text, names):
    """Run a text as the raw REPL does: what it says, then what went wrong."""
    try:
        exec(text, names)
        sys.stdout.buffer.write(b"\x04")
    except Exception as error:
        sys.stdout.buffer.write(b"\x04")
        sys.print_exception(error)


machine.on_reset = cut
machine.SPEED = float(sys.argv[2])
begin()
try:
    with open("/main.py") as main:
        text = main.read()
except OSError:
    text = ""
try:
    exec(compile(text, "main.py", "exec"), {"__name__": "__main__"})
except Exception as error:
    sys.print_exception(error)
repl()
