"""Firmware for a slot: the modules that a microcontroller runs, in one file, the same bytes from the same sources."""

from __future__ import annotations

import ast
import io
import json
import struct
import tokenize
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

from firmware_bridge.error import BridgeError
from firmware_bridge.firmware.group_edge import VERSION
from firmware_bridge.firmware.upload import MOST_BYTES

__all__ = ["LOADER", "MAGIC", "build_image", "lean", "read_image", "sources"]

MAGIC = b"EDGEFW1\n"
LOADER = Path(__file__).parents[1] / "firmware" / "loader.py"
_HEAD = "<8sII"  # magic, length of the index, CRC of all that follows
_PARTS = ("wire", "firmware", "driver")
_MOST_BYTES = MOST_BYTES["/slot/a"]


def sources() -> dict[str, str]:
    """Give the modules that run on a microcontroller, by their place there.

    The package itself is empty there: what it holds here is for the board's side.
    """
    package = Path(__file__).parents[1]
    found = {"firmware_bridge/__init__.py": ""}
    for part in _PARTS:
        for path in sorted((package / part).glob("*.py")):
            if path != LOADER:
                found[f"firmware_bridge/{part}/{path.name}"] = path.read_text(encoding="utf-8")
    return found


def build_image(files: Mapping[str, str] | None = None) -> bytes:
    """Make the image of some modules: a head, an index in JSON, and one file after the other.

    Parameters
    ----------
    files : mapping of str to str, optional
        Sources by their place; this version's firmware unless given.

    Raises
    ------
    BridgeError
        If it is longer than a slot may be.
    """
    packed = {name: lean(text).encode() for name, text in sorted((sources() if files is None else files).items())}
    index = {"fw": VERSION, "files": [[name, len(data)] for name, data in packed.items()]}
    told = json.dumps(index, separators=(",", ":")).encode()
    body = told + b"".join(packed.values())
    image = struct.pack(_HEAD, MAGIC, len(told), zlib.crc32(body)) + body
    if len(image) > _MOST_BYTES:
        raise BridgeError(
            f"This firmware is {len(image)} bytes long; a slot takes {_MOST_BYTES}.", fix="Leave modules out of it."
        )
    return image


def read_image(data: bytes) -> dict[str, bytes]:
    """Give the files of an image by their place.

    Raises
    ------
    BridgeError
        If it is no image, or damaged.
    """
    head = struct.calcsize(_HEAD)
    if len(data) < head or data[:8] != MAGIC:
        raise BridgeError(
            "This is no firmware for a slot.",
            why=f"It begins with {data[:8]!r} instead of {MAGIC!r}.",
            fix="Give one that firmware_bridge.maintenance.image made; without a file, this version's is taken.",
        )
    _, length, crc = struct.unpack(_HEAD, data[:head])
    if zlib.crc32(data[head:]) != crc:
        raise BridgeError(
            "This firmware is damaged.", why="Its CRC is another one than it says.", fix="Make or copy it again."
        )
    files, at = {}, head + length
    for name, size in json.loads(data[head:at])["files"]:
        files[name] = data[at : at + size]
        at += size
    return files


def lean(text: str) -> str:
    r"""Leave out of a module what does nothing, comments and docstrings; each line keeps its number.

    Examples
    --------
    >>> lean('def f():  # twice\n    "Give 2."\n    return 2  # always\n')
    'def f():\n    0\n    return 2\n'
    """
    lines = text.splitlines()
    texts = [node for node in ast.walk(ast.parse(text)) if _is_text(node)]
    for node in sorted(texts, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        last = node.end_lineno or node.lineno
        rest = lines[last - 1].encode()[node.end_col_offset :].decode()
        begin = lines[node.lineno - 1].encode()[: node.col_offset].decode()
        lines[node.lineno - 1 : last] = [""] * (last - node.lineno + 1)
        lines[node.lineno - 1] = begin + "0" + rest
    for line, column in _comments("\n".join(lines) + "\n"):
        lines[line - 1] = lines[line - 1][:column]
    return "".join(line.rstrip() + "\n" for line in lines)


def _is_text(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Tell whether a node is a statement that is nothing but a text."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _comments(text: str) -> Iterator[tuple[int, int]]:
    """Give line and column of each comment."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start
