"""MicroPython's own tool for its boards, as a program: files to a board, and lines of Python run there."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from firmware_bridge.error import BridgeError, BridgeTimeout, NoProtocol

__all__ = ["copy", "evaluate", "reset"]

_SLOW_S = 300.0  # 130 KB at 115 200 baud take half a minute
_QUICK_S = 30.0


def evaluate(port: str, code: str) -> Any:
    """Run Python on a board that has been restarted without its main.py, and give the JSON that it prints.

    Raises
    ------
    NoProtocol
        If no MicroPython answers.
    BridgeError
        If the code fails there, with what it said.
    """
    said = _run(port, ["exec", code], _QUICK_S)
    try:
        return json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        raise BridgeError(
            f"MicroPython on {port} answered {said[-200:]!r}.", fix="Unplug it, plug it in, and try again."
        ) from None


def copy(port: str, path: Path, place: str) -> None:
    """Copy a file to a board."""
    _run(port, ["resume", "fs", "cp", str(path), ":" + place], _SLOW_S)


def reset(port: str) -> None:
    """Restart a board, which runs its main.py then."""
    _run(port, ["resume", "reset"], _QUICK_S)


def _run(port: str, command: list[str], most_s: float) -> str:
    if importlib.util.find_spec("mpremote") is None:
        raise BridgeError(
            "mpremote is not installed.",
            why="It copies the firmware to a board over its cable.",
            fix="pip install 'edge-sdk[flash]'",
        )
    told = [sys.executable, "-m", "mpremote", "connect", port, *command]
    try:
        done = subprocess.run(told, capture_output=True, text=True, timeout=most_s, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise BridgeTimeout(
            f"{port} has not answered within {most_s:g} s.", fix="Unplug it, plug it in, and try again."
        ) from None
    if done.returncode:
        raise _explained(port, (done.stdout + done.stderr).strip())
    return done.stdout


def _explained(port: str, said: str) -> BridgeError:
    last = said.splitlines()[-1] if said else "nothing"
    if "raw repl" in said:
        return NoProtocol(
            f"No MicroPython answers on {port}.",
            why="The board runs something else, or a program of its own that takes no Ctrl-C.",
            fix="Put MicroPython 1.20 or newer on it (micropython.org/download): on a Pico hold BOOTSEL, plug it in "
            "and copy the .uf2; on an ESP32 use esptool. Then try again.",
        )
    if "failed to access" in said or "in use" in said:
        return BridgeError(
            f"{port} cannot be opened.", why=last, fix="Close other programs that use it; edge bridge list shows them."
        )
    if "ENOSPC" in said or "No space" in said or "OSError: 28" in said or "Errno 28" in said:
        return BridgeError(
            f"There is not enough room on the board on {port}.",
            why=last,
            fix=f"Remove files of your own: mpremote connect {port} fs ls",
        )
    return BridgeError(f"mpremote failed on {port}: {last}", fix="Unplug the board, plug it in, and try again.")
