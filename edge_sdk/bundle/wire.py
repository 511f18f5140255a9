"""Read Protocol Buffers messages from files that nobody vouches for.

The messages of a bundle are a few hundred bytes with a dozen fields that matter; the generated classes of
``litert-lm-builder`` would bring protobuf and absl along for them. Fields that are not asked for are skipped,
as the format wants it, so newer writers stay readable.

Source: https://protobuf.dev/programming-guides/encoding (tags, varints, length-delimited and packed fields).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from edge_sdk.errors import BundleError

__all__ = ["Message"]

_FIELDS_MAX = 1_000_000  # a SentencePiece model is a message with one field for each of its pieces
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Message:
    """One message: fields by number, with the defaults of proto3 where the file leaves them out.

    Parameters
    ----------
    view : memoryview
        The message's bytes, ``(n,)`` uint8.
    name : str
        What to call it in errors: the path and the section.
    only : frozenset of int, optional
        Keep these fields and forget the others, so that a large message costs no memory.

    Raises
    ------
    BundleError
        The bytes are no message.
    """

    __slots__ = ("_fields", "_name")

    def __init__(self, view: memoryview, name: str, only: frozenset[int] | None = None) -> None:
        self._name = name
        self._fields: dict[int, list[int | memoryview]] = {}
        for count, (number, value) in enumerate(_split(view, name)):
            if count >= _FIELDS_MAX:
                raise _damaged(name, f"It has more than {_FIELDS_MAX} fields.")
            if only is None or number in only:
                self._fields.setdefault(number, []).append(value)

    def has(self, number: int) -> bool:
        """Say whether the file sets a field."""
        return number in self._fields

    def integer(self, number: int, default: int = 0) -> int:
        """Return an int32, int64, bool or enum; the last one counts where there are several."""
        value = self._fields.get(number, [default])[-1]
        if isinstance(value, memoryview):
            raise _damaged(self._name, f"Field {number} is no number.")
        return value - (1 << 64) if value >> 63 == 1 else value

    def real(self, number: int) -> float:
        """Return a float (32 bits)."""
        return float(struct.unpack("<f", struct.pack("<I", self.integer(number) & 0xFFFFFFFF))[0])

    def data(self, number: int) -> memoryview | None:
        """Return the bytes of a field, nothing copied."""
        value = self._fields.get(number, [None])[-1]
        if isinstance(value, int):
            raise _damaged(self._name, f"Field {number} is a number where text or a record is expected.")
        return value

    def text(self, number: int, default: str = "") -> str:
        """Return a string."""
        data = self.data(number)
        if data is None:
            return default
        try:
            return bytes(data).decode()
        except UnicodeDecodeError as error:
            raise _damaged(self._name, f"Field {number} is no UTF-8 text ({error.reason}).") from error

    def message(self, number: int) -> Message | None:
        """Return a message within this one."""
        data = self.data(number)
        return None if data is None else Message(data, self._name)

    def messages(self, number: int) -> Iterator[Message]:
        """Yield the messages of a repeated field."""
        for value in self._fields.get(number, []):
            if isinstance(value, int):
                raise _damaged(self._name, f"Field {number} is a number where a record is expected.")
            yield Message(value, self._name)

    def integers(self, number: int) -> tuple[int, ...]:
        """Return a repeated int32, packed or not."""
        found: list[int] = []
        for value in self._fields.get(number, []):
            if isinstance(value, int):
                found.append(value)
                continue
            at = 0
            while at < len(value):
                item, at = _varint(value, at, self._name)
                found.append(item)
        return tuple(item - (1 << 64) if item >> 63 == 1 else item for item in found)


def _damaged(name: str, why: str) -> BundleError:
    return BundleError(f"{name} is damaged.", why=why, fix="Copy the file again and compare its SHA-256.")


def _varint(view: memoryview, at: int, name: str) -> tuple[int, int]:
    value = shift = 0
    while at < len(view) and shift < 64:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise _damaged(name, "A number in it does not end.")


def _split(view: memoryview, name: str) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the fields of a message as they stand: numbers of 64 bits, and slices."""
    at = 0
    while at < len(view):
        tag, at = _varint(view, at, name)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise _damaged(name, "It holds a field with the number 0.")
        if kind == _VARINT:
            value, at = _varint(view, at, name)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(view, at, name)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise _damaged(name, f"Field {number} is of the unknown kind {kind}.")
        if size > len(view) - at:
            raise _damaged(name, f"Field {number} claims {size} bytes; {len(view) - at} are left.")
        piece = view[at : at + size]
        at += size
        yield number, piece if kind == _BYTES else int.from_bytes(piece, "little")
