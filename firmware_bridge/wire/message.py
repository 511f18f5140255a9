"""A message: what is asked or answered, in eight bytes of header and a map."""

import struct

from firmware_bridge.wire.cbor import CborError, decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READ = 0
READ_ANSWER = 1
WRITE = 2
WRITE_ANSWER = 3

_HEADER = ">BBHHBB"
_HEADER_BYTES = 8
_VERSION = 1 << 3
"""SMP's version 2, which its header counts from 0."""


class MessageError(ValueError):
    """Bytes that are no message, or a message that cannot be written."""


class Message:
    """One request or one answer.

    Parameters
    ----------
    op : int
        `READ`, `READ_ANSWER`, `WRITE` or `WRITE_ANSWER`.
    group, command : int
        What it is about, of `firmware_bridge.wire.number`.
    sequence : int
        0 to 255; an answer has its request's.
    body : dict
        What it says, by name.
    """

    __slots__ = ("body", "command", "group", "op", "sequence")

    def __init__(self, op: int, group: int, command: int, sequence: int, body: "dict[str, Any]") -> None:
        self.op = op
        self.group = group
        self.command = command
        self.sequence = sequence
        self.body = body

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self._all() == other._all()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Message(op={}, group={}, command={}, sequence={}, body={!r})".format(*self._all())

    def _all(self) -> "tuple[int, int, int, int, dict[str, Any]]":
        return self.op, self.group, self.command, self.sequence, self.body


def encode_message(message: Message) -> bytes:
    """Write a message.

    Raises
    ------
    MessageError
        When one of its numbers, its body or something in that cannot be written.

    Source: the header of MCUmgr's Simple Management Protocol, version 2.

    Examples
    --------
    >>> encode_message(Message(READ, 64, 13, 7, {})).hex()
    '080000010040070da0'
    """
    if not isinstance(message.body, dict):
        raise MessageError("a body that is no map")
    try:
        body = encode(message.body)
    except CborError as error:
        raise MessageError(f"a body that cannot be written: {error}") from None
    op, group, command, sequence = message.op, message.group, message.command, message.sequence
    if not (0 <= op <= WRITE_ANSWER and 0 <= group <= 0xFFFF and 0 <= command <= 0xFF and 0 <= sequence <= 0xFF):
        raise MessageError(f"a number that has no place in a header: {message!r}")
    if len(body) > 0xFFFF:
        raise MessageError(f"a body of {len(body)} bytes")
    return struct.pack(_HEADER, _VERSION | op, 0, len(body), group, sequence, command) + body


def decode_message(data: bytes) -> Message:
    """Read a message.

    Raises
    ------
    MessageError
        When the bytes are anything but one whole message of this version; nothing else is raised, whatever they are.

    Examples
    --------
    >>> decode_message(bytes.fromhex("080000010040070da0"))
    Message(op=0, group=64, command=13, sequence=7, body={})
    """
    if len(data) < _HEADER_BYTES:
        raise MessageError(f"{len(data)} bytes, fewer than a header has")
    first, flags, size, group, sequence, command = struct.unpack(_HEADER, data[:_HEADER_BYTES])
    op = first - _VERSION
    if not 0 <= op <= WRITE_ANSWER or flags:
        raise MessageError(f"another version or operation: {first:#04x} {flags:#04x}")
    if size != len(data) - _HEADER_BYTES:
        raise MessageError(f"{len(data) - _HEADER_BYTES} bytes of body instead of {size}")
    try:
        body = decode(data, _HEADER_BYTES)
    except CborError as error:
        raise MessageError(f"a body that is no CBOR: {error}") from None
    if not isinstance(body, dict):
        raise MessageError("a body that is no map")
    return Message(op, group, command, sequence, body)
