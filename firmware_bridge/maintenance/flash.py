"""The firmware onto a microcontroller that has MicroPython, over its cable: once, then `Bridge.update` will do."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from firmware_bridge.error import BridgeError, BridgeTimeout, NoProtocol, Refused
from firmware_bridge.firmware import config as configuration
from firmware_bridge.firmware.error import ConfigError
from firmware_bridge.maintenance import mpremote
from firmware_bridge.maintenance.image import LOADER, build_image
from firmware_bridge.maintenance.upload import Progress, config_bytes, ignore
from firmware_bridge.port.port import open_port, resolve
from firmware_bridge.session.hello import Hello
from firmware_bridge.session.probe import probe

__all__ = ["BOARDS", "flash"]

BOARDS = ("rp2", "esp32")
"""Kinds of boards that there is firmware for."""

_LEAST = [1, 20]  # of MicroPython
_IMAGES = 3  # that there should be room for: the flashed one, the slot that runs, the slot that comes
_BLOCK_BYTES = 4096
_REPL = b"\r\x03\x03\x03"  # ends the firmware, and a program that takes Ctrl-C
_BACK_S = 20.0
_QUIET_S = 0.5
_OURS = "Start the firmware:"

# What is there; then what would start instead of the new firmware goes.
_LOOK = """
import json, os, sys
kind = sys.platform
for name in {boards}:
    try:
        __import__(name)
        kind = name
    except ImportError:
        pass
main = ''
try:
    with open('/main.py') as file:
        main = file.read(40)
except OSError:
    pass
print(json.dumps([kind, getattr(sys.implementation, '_machine', ''), list(sys.implementation[1][:3]), main]))
"""
_CLEAR = """
import json, os
for name in ('/main.py', '/boot.json', '/repl', '/slot/a', '/slot/b', '/slot/a.part', '/slot/b.part', '/slot/factory'):
    try:
        os.remove(name)
    except OSError:
        pass
try:
    os.mkdir('/slot')
except OSError:
    pass
told = os.statvfs('/')
print(json.dumps(told[1] * told[3]))
"""


def flash(
    port: str,
    board: str | None = None,
    config: Mapping[str, Any] | str | Path | None = None,
    *,
    progress: Progress = ignore,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Hello:
    """Put loader and firmware on a board, restart it and see that it answers.

    Parameters
    ----------
    port : str
        ``/dev/...``, or ``auto``.
    board : {"rp2", "esp32"}, optional
        What it must be; any of them unless given.
    config : mapping or path, optional
        Its configuration; the one that is there stays unless given.
    progress : function
        Told bytes copied, and bytes in all.
    clock, sleep : function
        Monotonic seconds; waits.

    Raises
    ------
    Refused
        If the configuration is wrong, the board is another one, or has a program of somebody else's.
    NoDevice, PortBusy
        If there is no port, or another process has it.
    NoProtocol
        If it has no MicroPython, or an old one.
    BridgeError
        If there is not enough room, mpremote is missing or fails, or the firmware does not answer afterwards.
    """
    text = _checked(config)
    address = resolve(port).partition("?")[0]
    _ask_for_repl(address, clock, sleep)
    _look(address, board)
    files = {"/slot/factory": build_image(), **text, "/main.py": LOADER.read_bytes()}  # main.py last: now it starts
    _make_room(address, files)
    _copy(address, files, progress)
    mpremote.reset(address)
    return _answered(address, clock, sleep)


def _checked(config: Mapping[str, Any] | str | Path | None) -> dict[str, bytes]:
    """Give the configuration as a file for the board, checked as far as that goes without the board."""
    if config is None:
        return {}
    data = config_bytes(config)
    try:
        configuration.check(configuration.parse(data))
    except ConfigError as error:
        name = "The configuration" if isinstance(config, Mapping) else str(config)
        raise Refused(
            f"{name} is wrong: {error.why}", fix="docs/reference/bridge-configuration.md says what may stand there."
        ) from None
    return {"/config.json": data}


def _ask_for_repl(address: str, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
    """Have our firmware end, should it run: its port may be gone for a moment, where a watchdog has it restart."""
    with contextlib.closing(open_port(address)) as port:
        port.write(_REPL)
        quiet_s = end_s = clock() + _QUIET_S
        try:
            while clock() < min(quiet_s, end_s + 2):
                if port.read(_QUIET_S / 5):
                    quiet_s = clock() + _QUIET_S
        except BridgeError:  # gone: it restarts
            pass
    end_s = clock() + _BACK_S
    while not Path(address).exists() and clock() < end_s:
        sleep(0.1)


def _look(address: str, board: str | None) -> None:
    """See that it is a board that there is firmware for, and nobody else's program on it."""
    kind, machine, version, main = mpremote.evaluate(address, _LOOK.format(boards=BOARDS))
    wanted = (board,) if board else BOARDS
    if kind not in wanted:
        raise Refused(
            f"The board on {address} is {kind} ({machine}), not {' or '.join(wanted)}.",
            fix="Name the port of the right one: edge bridge list."
            if kind in BOARDS
            else "There is no firmware for it.",
        )
    if version[:2] < _LEAST:
        raise NoProtocol(
            f"The MicroPython on {address} is {'.'.join(map(str, version))}; 1.20 is the oldest that will do.",
            fix="Put a newer one on it: micropython.org/download",
        )
    if main.strip() and _OURS not in main:
        raise Refused(
            f"The board on {address} has a program of its own: main.py.",
            why="The firmware would take its place.",
            fix=f"Keep it with `mpremote connect {address} fs cp :main.py old.py`, "
            f"remove it with `mpremote connect {address} fs rm :main.py`, then try again.",
        )


def _make_room(address: str, files: Mapping[str, bytes]) -> None:
    """Remove the old firmware, and see that the new one and its updates will fit."""
    free = int(mpremote.evaluate(address, _CLEAR))
    blocks = {name: -(-len(data) // _BLOCK_BYTES) + 1 for name, data in files.items()}
    need = _BLOCK_BYTES * (sum(blocks.values()) + (_IMAGES - 1) * blocks["/slot/factory"])
    if free < need:
        raise BridgeError(
            f"The board on {address} has {free} bytes free; the firmware and its updates take {need}.",
            why="Other files are on it, or its flash is too small.",
            fix=f"Look with `mpremote connect {address} fs ls`, remove what is not needed, then try again.",
        )


def _copy(address: str, files: Mapping[str, bytes], progress: Progress) -> None:
    whole, done = sum(map(len, files.values())), 0
    progress(0, whole)
    with tempfile.TemporaryDirectory() as folder:
        for place, data in files.items():
            path = Path(folder) / "file"
            path.write_bytes(data)
            mpremote.copy(address, path, place)
            done += len(data)
            progress(done, whole)


def _answered(address: str, clock: Callable[[], float], sleep: Callable[[float], object]) -> Hello:
    """Wait until the firmware says hello."""
    end_s, says = clock() + _BACK_S, "nothing answers"
    while clock() < end_s:
        with contextlib.suppress(BridgeError):  # gone while it restarts
            with contextlib.closing(open_port(address)) as port:
                found = probe(port)
            if found.hello is not None:
                return found.hello
            says = found.says
        sleep(0.2)
    raise BridgeTimeout(
        f"The firmware was copied to {address} and does not answer: {says}.",
        fix=f"`mpremote connect {address} repl` shows what it says when the board is reset (Ctrl-D).",
    )
