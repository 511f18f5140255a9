"""Start the firmware: main.py of a microcontroller, flashed over the cable and never changed over the link.

It reads modules right out of a slot's file, an image as `firmware_bridge.maintenance.image` makes it, so that a slot
is there whole or not at all and nothing is unpacked. Which slot is to boot says `firmware_bridge.firmware.slot` of the
image that was flashed. A slot on trial that breaks down, or that nobody has confirmed in time, is rolled back.
"""

import gc
import io
import json
import os
import struct
import sys
import time
from binascii import crc32

import machine

try:
    import vfs
except ImportError:  # MicroPython before 1.22
    vfs = os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FACTORY = "/slot/factory"
HOLD = "/repl"
"""Where this file is, the next start gives the REPL instead of the firmware, once."""
MAGIC = b"EDGEFW1\n"
TRIAL_MS = 120_000
"""How long a slot on trial may run before it is confirmed."""

_HEAD = "<8sII"  # magic, length of the index, CRC of all that follows
_PLACE = "/fw"
_PACKAGE = "firmware_bridge"
_AGAIN_S = 1
_FILE, _FOLDER = 0x8000, 0x4000
_CLOSE = 4  # of MicroPython's streams


class Piece(getattr(io, "RawIOBase", io.IOBase)):  # type: ignore[misc]
    """One file of an image, read a few bytes at a time: there is little memory, and less of it in one piece."""

    def __init__(self, file: "Any", size: int) -> None:
        self._file = file
        self._left = size

    def readable(self) -> bool:
        """Be readable."""
        return True

    def readinto(self, buffer: "Any") -> int:
        """Read on."""
        count: int = self._file.readinto(memoryview(buffer)[: self._left])
        self._left -= count
        return count

    def ioctl(self, request: int, argument: int) -> int:
        """Be closed, as MicroPython asks for it."""
        if request == _CLOSE:
            self._file.close()
        return 0

    def close(self) -> None:
        """Be closed, as CPython asks for it."""
        self._file.close()


class Image:
    """An image's files, read in place: what MicroPython asks of a file system to import from it.

    Raises
    ------
    OSError
        When it is not there.
    ValueError
        When it is none, or damaged.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with open(path, "rb") as file:
            head = file.read(struct.calcsize(_HEAD))
            if head[:8] != MAGIC or len(head) < struct.calcsize(_HEAD):
                raise ValueError(path + " is no image")
            _, length, expected = struct.unpack(_HEAD, head)
            crc, start = 0, len(head) + length
            piece = file.read(512)
            while piece:
                crc = crc32(piece, crc)
                piece = file.read(512)
            if crc & 0xFFFFFFFF != expected:
                raise ValueError(path + " is damaged")
            file.seek(len(head))
            index = json.loads(file.read(length))
        self._files = {}
        self._folders = [""]
        for name, size in index["files"]:
            self._files[name] = (start, size)
            start += size
            folder = name[: max(0, name.rfind("/"))]
            if folder not in self._folders:
                self._folders.append(folder)

    def mount(self, readonly: bool, mkfs: bool) -> None:
        """Be mounted: nothing is to be done."""

    def umount(self) -> None:
        """Be taken away: nothing is to be done."""

    def stat(self, path: str) -> "tuple[int, ...]":
        """Say whether a path is a file or a folder, and how long it is."""
        name = path.strip("/")
        if name in self._files:
            return (_FILE, 0, 0, 0, 0, 0, self._files[name][1], 0, 0, 0)
        if name in self._folders:
            return (_FOLDER, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        raise OSError(2)

    def open(self, path: str, mode: str) -> "Any":
        """Open a file, to be read."""
        if path.strip("/") not in self._files:
            raise OSError(2)
        gc.collect()  # compiling takes memory in large pieces
        start, size = self._files[path.strip("/")]
        file = open(self._path, "rb")  # noqa: SIM115 (Piece closes it)
        file.seek(start)
        return Piece(file, size)


def take(path: str) -> None:
    """Have modules come from an image."""
    vfs.mount(Image(path), _PLACE)
    sys.path.insert(0, _PLACE)


def forget() -> None:
    """Let go of the image's modules, and of the image."""
    for name in list(sys.modules):
        if name == _PACKAGE or name.startswith(_PACKAGE + "."):
            del sys.modules[name]
    if _PLACE in sys.path:
        sys.path.remove(_PLACE)
        vfs.umount(_PLACE)
    gc.collect()


def entry(path: str) -> "Callable[[str, bool], None]":
    """Give what runs an image's firmware."""
    forget()
    take(path)
    run: Callable[[str, bool], None] = __import__(_PACKAGE + ".firmware.main", None, None, ("run",)).run
    return run


def choose() -> "tuple[str, bool, Callable[[], bool]]":
    """Say what is to boot, whether on trial, and give what tells whether that trial still runs.

    Raises
    ------
    OSError, ValueError
        When there is no image that could say so.
    """
    try:
        take(FACTORY)
    except (OSError, ValueError):  # its flash has aged: whichever slot is whole knows as much
        try:
            take("/slot/a")
        except (OSError, ValueError):
            take("/slot/b")
    from firmware_bridge.firmware import slot
    from firmware_bridge.firmware.files import Files

    files, load = Files("/"), slot.load
    name, trial = slot.boot(files)
    return name, trial, lambda: load(files)["tried"]


def watch(unconfirmed: "Callable[[], bool]") -> None:
    """Restart when the trial is still one after its time: that rolls it back, whatever the firmware does."""
    try:
        timer = machine.Timer(-1)
    except ValueError:  # the ESP32 has no timers of software
        timer = machine.Timer(0)
    timer.init(
        mode=machine.Timer.ONE_SHOT, period=TRIAL_MS, callback=lambda _: machine.reset() if unconfirmed() else None
    )


def prepare() -> "tuple[Callable[[str, bool], None], str, bool]":
    """Give what runs the firmware, its slot and whether that is on trial.

    A trial that cannot even begin is over; a confirmed slot that cannot gives way to what was flashed.
    """
    name, trial, unconfirmed = choose()
    if trial:
        watch(unconfirmed)
    if name:
        try:
            return entry("/slot/" + name), name, trial
        except Exception as error:
            if trial:
                again(error)
            sys.print_exception(error)  # type: ignore[attr-defined]
    return entry(FACTORY), "", False


def again(error: Exception) -> None:
    """Say what went wrong, and start anew; in between Ctrl-C gives the REPL."""
    sys.print_exception(error)  # type: ignore[attr-defined]
    time.sleep(_AGAIN_S)
    machine.reset()


def held() -> bool:
    """Tell whether the REPL was asked for before this start."""
    try:
        os.remove(HOLD)
    except OSError:
        return False
    return True


def main() -> None:
    """Run the firmware, and start anew when it ends."""
    if held():
        return
    try:
        run, name, trial = prepare()
    except Exception as error:  # no restart would change that
        sys.print_exception(error)  # type: ignore[attr-defined]
        sys.stdout.write("No firmware begins: flash it anew. This is the REPL.\n")
        return
    try:
        run(name, trial)
        machine.reset()
    except KeyboardInterrupt:
        sys.stdout.write("This is the REPL.\n")
    except Exception as error:
        again(error)


if __name__ == "__main__":
    main()
