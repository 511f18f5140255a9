"""CBOR, as much of it as the protocol needs: whole numbers, floats, bytes, text, arrays, maps with text keys."""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LEVELS = 8
"""How deep arrays and maps may lie in each other."""

_INDEFINITE = -1
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_BREAK = 0xFF
_NAN = b"\xfb\x7f\xf8\0\0\0\0\0\0"
"""The one that is written, whichever it was."""


class Encoded:
    """CBOR of one value that was written already, to be put in as it is: many alike are written faster on their own."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class CborError(ValueError):
    """Bytes that are no CBOR of the subset, or a value that has no place in it."""


def encode(value: object) -> bytes:
    """Write a value as CBOR: the same value gives the same bytes, with the keys of maps in order.

    Parameters
    ----------
    value : None, bool, int, float, str, bytes, list, tuple, dict or Encoded
        Whole numbers of at most 64 bits and a sign; keys of maps are text.

    Raises
    ------
    CborError
        When something of another kind is in it, or it lies deeper than 8 levels.

    Source: RFC 8949.

    Examples
    --------
    >>> encode({"value": 1.5, "name": "heater"}).hex()
    'a2646e616d65666865617465726576616c7565fb3ff8000000000000'
    """
    out = bytearray()
    _write(out, value, LEVELS)
    return bytes(out)


def decode(data: bytes, start: int = 0) -> "Any":
    """Read one value from the bytes behind ``start``, all of them.

    Raises
    ------
    CborError
        When they hold anything but one value of the subset; nothing else is raised, whatever the bytes are.

    Examples
    --------
    >>> decode(bytes.fromhex("a1616e182a"))
    {'n': 42}
    """
    reader = _Reader(data, start)
    try:
        value = reader.value(LEVELS)
    except IndexError:
        raise CborError("the end is missing") from None
    if reader.at != len(data):
        raise CborError(f"{len(data) - reader.at} bytes too many")
    return value


def _write(out: bytearray, value: object, levels: int) -> None:
    if value is None:
        out.append(0xF6)
    elif value is True:
        out.append(0xF5)
    elif value is False:
        out.append(0xF4)
    elif isinstance(value, int):
        if value < 0:
            _head(out, _NEGATIVE, -1 - value)
        else:
            _head(out, _UNSIGNED, value)
    elif isinstance(value, str):
        _write_text(out, value)
    elif isinstance(value, float):
        out.extend(struct.pack(">Bd", 0xFB, value) if value == value else _NAN)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _head(out, _BYTES, len(value))
        out.extend(value)
    elif isinstance(value, (dict, list, tuple)):
        _write_many(out, value, levels)
    elif isinstance(value, Encoded):
        out.extend(value.data)
    else:
        raise CborError(f"CBOR here has no place for a {type(value).__name__}")


def _write_many(out: bytearray, value: "dict[Any, Any] | list[Any] | tuple[Any, ...]", levels: int) -> None:
    if not levels:
        raise CborError(f"more than {LEVELS} levels")
    levels -= 1
    if not isinstance(value, dict):
        _head(out, _ARRAY, len(value))
        for item in value:
            _write(out, item, levels)
        return
    _head(out, _MAP, len(value))
    try:
        keys = sorted(value)  # MicroPython's maps have no order
    except TypeError:
        raise CborError("a key that is not text") from None
    for key in keys:
        if not isinstance(key, str):
            raise CborError("a key that is not text")
        _write_text(out, key)
        _write(out, value[key], levels)


def _write_text(out: bytearray, text: str) -> None:
    try:
        data = text.encode()
    except ValueError:  # half of a surrogate pair
        raise CborError("text that UTF-8 has no bytes for") from None
    size = len(data)
    if size < 24:
        out.append(0x60 | size)
    else:
        _head(out, _TEXT, size)
    out.extend(data)


def _head(out: bytearray, major: int, number: int) -> None:
    major <<= 5
    if number < 24:
        out.append(major | number)
    elif number < 0x100:
        out.append(major | 24)
        out.append(number)
    elif number < 0x10000:
        out.extend(struct.pack(">BH", major | 25, number))
    elif number >> 32 == 0:
        out.extend(struct.pack(">BI", major | 26, number))
    elif number >> 64 == 0:
        out.extend(struct.pack(">BQ", major | 27, number))
    else:
        raise CborError("a whole number of more than 64 bits")


class _Reader:
    """Where reading stands. Beyond the end it runs into an IndexError, so that no byte costs a comparison."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def value(self, levels: int) -> "Any":
        head = self.data[self.at]
        self.at += 1
        major = head >> 5
        if major == _SIMPLE:
            return self.simple(head & 31)
        number = head & 31
        if number >= 24:
            number = self.number(number)
        if _BYTES <= major <= _TEXT:
            if number < 0:
                return self.pieces(major)
            piece = self.take(number)
            return _text(piece) if major == _TEXT else bytes(piece)
        if major <= _NEGATIVE:
            if number < 0:
                raise CborError("a whole number without length")
            return -1 - number if major else number
        if major == _TAG:
            raise CborError("a tag")
        if not levels:
            raise CborError(f"more than {LEVELS} levels")
        return self.array(number, levels - 1) if major == _ARRAY else self.map(number, levels - 1)

    def take(self, size: int) -> bytes:
        begin = self.at
        self.at = end = begin + size
        if end > len(self.data):
            raise CborError("the end is missing")
        return self.data[begin:end]

    def number(self, low: int) -> int:
        """Read the number that stands behind a head whose lowest bits are 24 or more."""
        if low < 28:
            return int.from_bytes(self.take(1 << (low - 24)), "big")
        if low < 31:
            raise CborError("a head that CBOR does not have")
        return _INDEFINITE

    def more(self, left: int) -> bool:
        """Tell whether an array or a map goes on, and pass over the mark at the end of one without length."""
        if left >= 0:
            return left > 0
        if self.data[self.at] != _BREAK:
            return True
        self.at += 1
        return False

    def pieces(self, major: int) -> "Any":
        pieces = []
        while self.more(_INDEFINITE):
            head = self.data[self.at]
            if head >> 5 != major or head & 31 == 31:
                raise CborError("a piece of another kind in a string")
            pieces.append(self.value(0))
        return ("" if major == _TEXT else b"").join(pieces)

    def array(self, left: int, levels: int) -> "list[Any]":
        items = []
        while self.more(left):
            items.append(self.value(levels))
            left -= left > 0
        return items

    def map(self, left: int, levels: int) -> "dict[str, Any]":
        items = {}
        while self.more(left):
            if self.data[self.at] >> 5 != _TEXT:
                raise CborError("a key that is not text")
            key = self.value(0)
            if key in items:
                raise CborError("a key twice")
            items[key] = self.value(levels)
            left -= left > 0
        return items

    def simple(self, low: int) -> "bool | float | None":
        if low == 20:
            return False
        if low == 21:
            return True
        if low == 22:
            return None
        if low == 25:
            return _half(struct.unpack(">H", self.take(2))[0])
        if low == 26 or low == 27:
            number: float = struct.unpack((">f", ">d")[low - 26], self.take(4 << (low - 26)))[0]
            return number
        raise CborError("a simple value that has no place here")


def _half(bits: int) -> float:
    """Read a floating-point number of 16 bits, which MicroPython's struct does not know."""
    exponent = bits >> 10 & 31
    fraction = bits & 1023
    if exponent == 31:
        size = float("nan") if fraction else float("inf")
    elif exponent:
        size = (1024 + fraction) * 2.0 ** (exponent - 25)
    else:
        size = fraction * 2.0**-24
    return -size if bits >> 15 else size


def _text(data: bytes) -> str:
    """Read UTF-8 strictly: MicroPython lets longer forms than needed and surrogates pass."""
    try:
        text = str(data, "utf-8")
    except ValueError:
        raise CborError("text that is not UTF-8") from None
    if len(text) == len(data):
        return text
    size = 0
    for character in text:
        code = ord(character)
        if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
            raise CborError("text that is not UTF-8")
        size += 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
    if size != len(data):
        raise CborError("text that is not UTF-8")
    return text
