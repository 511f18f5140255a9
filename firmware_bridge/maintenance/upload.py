"""Files to the microcontroller, in pieces that its buffer holds; what was interrupted goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from boards.file import read_file
from firmware_bridge.error import BridgeError, BridgeTimeout, Refused, UnknownName
from firmware_bridge.firmware.upload import CONFIG, MOST_BYTES
from firmware_bridge.link.lane import Answer
from firmware_bridge.part.digest import sha256

__all__ = ["NAMES", "Progress", "config_bytes", "ignore", "image_bytes", "send_file"]

Progress: TypeAlias = "Callable[[int, int], object]"

NAMES = ("/config.json", "/slot/a", "/slot/b")
# What stands around a piece in a packet: length and CRC, header, the map with name, session, length and offset.
_AROUND_BYTES = 96
_SHA_BYTES = 38  # with its key, in the first piece
_STUCK = 5
# A piece is many lines, each of which may be lost: after a loss half as much is sent at once, and so much more after
# each piece that went through at once.
_LEAST_BYTES = 64


def ignore(sent: int, whole: int) -> None:
    """Take no notice of bytes sent, and bytes in all."""


def config_bytes(config: Mapping[str, Any] | str | Path) -> bytes:
    """Give a configuration, a mapping or a JSON file, as it is sent; raises Refused for a file that cannot be one."""
    if isinstance(config, Mapping):
        return json.dumps(dict(config)).encode()
    fix = "Name a configuration in JSON; docs/reference/bridge-configuration.md says what may stand there."
    return read_file(config, MOST_BYTES[CONFIG], Refused, fix=fix)


def image_bytes(firmware: bytes | str | Path) -> bytes:
    """Give firmware, or a file of it, as it is sent; raises Refused for a file that cannot be it."""
    if isinstance(firmware, bytes):
        return firmware
    fix = "Name firmware for a slot; without a file, edge bridge update sends this version's."
    return read_file(firmware, MOST_BYTES["/slot/a"], Refused, fix=fix)


def send_file(
    name: str,
    data: bytes,
    buffer_bytes: int,
    piece: Callable[[Mapping[str, Any]], Answer],
    progress: Progress = ignore,
) -> None:
    """Send a file, or the rest of it where the microcontroller holds a part, from whoever it had that.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    data : bytes
        All of it.
    buffer_bytes : int
        The longest packet that the microcontroller takes.
    piece : function
        Sends one piece and gives its answer, in which ``off`` says what it wants next.
    progress : function
        Told bytes sent, and bytes in all, after each piece.

    Raises
    ------
    UnknownName
        If the file has another name.
    BridgeTimeout
        If it does not answer, to a short piece either.
    BridgeError
        If the microcontroller refuses, or does not go on.
    """
    if name not in NAMES:
        raise UnknownName(f"{name!r} cannot be sent.", why=f"The microcontroller takes {', '.join(NAMES)} only.")
    if not data:
        raise Refused(f"{name} would be empty.", fix="Give a file with something in it.")
    most = buffer_bytes - _AROUND_BYTES
    least, size, sent, stuck, lost = min(_LEAST_BYTES, most), most, 0, 0, False
    while sent < len(data):
        try:
            answer = piece(_piece(name, data, sent, size))
        except BridgeTimeout:
            if lost:
                raise
            size, lost = least, True
            continue
        size, lost = max(least, size // 2) if answer.sends > 1 else min(most, size + _LEAST_BYTES), False
        told = answer.body.get("off")
        if type(told) is not int or not 0 <= told <= len(data):
            raise BridgeError(
                f"The microcontroller wants byte {told!r} of {name}, which has {len(data)}.", fix="Try again."
            )
        stuck = stuck + 1 if told <= sent else 0
        if stuck == _STUCK:
            raise BridgeError(
                f"{name} does not get on from byte {told} of {len(data)}.",
                why="The microcontroller asks for the same piece again and again.",
                fix="See whether it has room: edge bridge info; then try again.",
            )
        sent = told
        progress(sent, len(data))


def _piece(name: str, data: bytes, start: int, size: int) -> dict[str, Any]:
    body: dict[str, Any] = {"name": name, "off": start, "data": data[start : start + size]}
    if start == 0:
        body |= {"data": data[: max(1, size - _SHA_BYTES)], "len": len(data), "sha": sha256(data).digest()}
    return body
