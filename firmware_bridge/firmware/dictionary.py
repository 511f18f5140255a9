"""What the firmware offers, as the JSON that its hash is over, deflated."""

import hashlib
import io
import struct

try:
    import zlib
except ImportError:  # MicroPython
    zlib = None  # type: ignore[assignment]
try:
    import deflate  # type: ignore[import-not-found]
except ImportError:
    deflate = None

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SENSOR = ("accuracy", "least", "most", "period_us", "unit")
_OUTPUT = ("kind", "lease_ms", "least", "most", "safe", "unit")
_AXIS = ("backlash", "homes", "least", "most", "speed", "step", "unit")
_STORED_BYTES = 0xFFFF  # the longest stored block


class Dictionary:
    """The dictionary of what hangs on the microcontroller.

    Parameters
    ----------
    parts : Parts
        Whose entries are in it.
    lease_ms : int
        The longest lease of all.

    Attributes
    ----------
    hash : bytes
        SHA-256 of its JSON.
    data : bytes
        Its JSON, deflated.
    raw : int
        How many bytes of JSON there are.
    """

    def __init__(self, parts: "Any", lease_ms: int) -> None:
        json = encode(
            {
                "v": 1,
                "sensors": _chosen(parts.sensors, _SENSOR),
                "outputs": _chosen(parts.outputs, _OUTPUT),
                "axes": _chosen(parts.axes, _AXIS),
                "lease_ms": lease_ms,
            }
        ).encode()
        self.raw = len(json)
        self.hash = hashlib.sha256(json).digest()
        self.data = deflated(json)


def _chosen(parts: "dict[str, Any]", keys: "tuple[str, ...]") -> "dict[str, Any]":
    return {name: {key: part.entry[key] for key in keys if key in part.entry} for name, part in parts.items()}


def encode(value: "Any") -> str:
    """Write JSON with sorted keys and no white space, the same on every interpreter.

    Examples
    --------
    >>> encode({"b": [1, 0.5, None], "a": "°"})
    '{"a":"°","b":[1,0.5,null]}'
    """
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join([_quoted(key) + ":" + encode(value[key]) for key in sorted(value)]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([encode(item) for item in value]) + "]"
    return repr(value)


def _quoted(text: str) -> str:
    out = []
    for character in text:
        if character < " ":
            character = f"\\u{ord(character):04x}"
        elif character in '"\\':
            character = "\\" + character
        out.append(character)
    return '"' + "".join(out) + '"'


def deflated(data: bytes) -> bytes:
    """Deflate (RFC 1951): by zlib, by MicroPython's own where the build has it, else stored as it is.

    Examples
    --------
    >>> import zlib
    >>> zlib.decompress(deflated(b"abc" * 100), -15) == b"abc" * 100
    True
    """
    if zlib:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(data) + packer.flush()
    if deflate and hasattr(deflate.DeflateIO, "write"):
        out = io.BytesIO()
        with deflate.DeflateIO(out, deflate.RAW) as file:
            file.write(data)
        return out.getvalue()
    return stored(data)


def stored(data: bytes) -> bytes:
    """Put data into stored blocks of deflate, which every inflater reads."""
    out = []
    for at in range(0, max(1, len(data)), _STORED_BYTES):
        piece = data[at : at + _STORED_BYTES]
        last = at + _STORED_BYTES >= len(data)
        out.append(struct.pack("<BHH", last, len(piece), len(piece) ^ 0xFFFF))
        out.append(piece)
    return b"".join(out)
