"""Messages as lines of base64 that can share a port with a boot log: cut, marked, and put together again."""

from binascii import a2b_base64, b2a_base64

from firmware_bridge.wire.crc import crc16

FIRST = b"\x06\x09"
NEXT = b"\x04\x14"
PIECE_BYTES = 93
"""Bytes of the packet in a line: 124 of base64 after the mark."""
LINE_BYTES = 127
"""The longest line, without its newline."""
AROUND_BYTES = 4
"""What a packet holds around its message: length and CRC."""


def lines(message: bytes) -> bytes:
    r"""Put a message into lines, ready to be sent.

    Raises
    ------
    ValueError
        When the message is longer than a packet's length can say.

    Examples
    --------
    >>> lines(b"abc")
    b'\x06\tAAVhYmOd1g==\n'
    """
    size = len(message) + 2
    if size > 0xFFFF:
        raise ValueError(f"a message of {len(message)} bytes does not fit into a packet")
    crc = crc16(message)
    packet = bytes((size >> 8, size & 0xFF)) + message + bytes((crc >> 8, crc & 0xFF))
    if len(packet) <= PIECE_BYTES:
        return FIRST + b2a_base64(packet)
    out = []
    for at in range(0, len(packet), PIECE_BYTES):
        out.append(NEXT if at else FIRST)
        out.append(b2a_base64(packet[at : at + PIECE_BYTES]))
    return b"".join(out)


class LineReader:
    """Find messages in a stream of bytes that may hold anything else.

    It holds one unfinished line and one unfinished packet at most, whatever comes in, and raises nothing.

    Parameters
    ----------
    most : int
        Bytes of the longest packet (the message and 4 more) that is put together.

    Attributes
    ----------
    dropped : dict
        What was dropped, by cause: ``crc`` packets whose checksum is wrong, ``length`` packets whose length is,
        ``base64`` lines that are none, ``cut`` packets without their end and ends without their beginning,
        ``overrun`` lines and packets that are too long.
    noise_bytes : int
        Bytes outside of marked lines.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.dropped = {"crc": 0, "length": 0, "base64": 0, "cut": 0, "overrun": 0}
        self.noise_bytes = 0
        self._tail = b""
        self._packet: bytearray | None = None
        self._filled = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came in, and give the messages that are whole with it."""
        data = self._tail + data if self._tail else bytes(data)
        messages: list[bytes] = []
        at = 0
        end = data.find(b"\n")
        while end >= 0:
            message = self._take(data[at:end])
            if message is not None:
                messages.append(message)
            at = end + 1
            end = data.find(b"\n", at)
        self._tail = self._keep(data[at:]) if at < len(data) else b""
        return messages

    def _keep(self, rest: bytes) -> bytes:
        """Give what of an unfinished line may still become something."""
        mark = _mark(rest)
        if mark >= 0 and len(rest) - mark <= LINE_BYTES:
            self.noise_bytes += mark
            return rest[mark:]
        if mark >= 0:
            self._drop("overrun")
            rest = rest[mark + LINE_BYTES :]
        half = rest[-1:]
        if half != FIRST[:1] and half != NEXT[:1]:
            half = b""
        self.noise_bytes += len(rest) - len(half)
        return half

    def _take(self, line: bytes) -> bytes | None:
        """Take a whole line, and give the message that it finishes."""
        mark = _mark(line)
        if mark < 0:
            self.noise_bytes += len(line) + 1
            return None
        self.noise_bytes += mark
        if len(line) - mark > LINE_BYTES:
            return self._drop("overrun")
        piece = _piece(line[mark + 2 :])
        if piece is None:
            return self._drop("base64")
        if line[mark] == FIRST[0]:
            return self._begin(piece)
        return self._go_on(piece)

    def _begin(self, piece: bytes) -> bytes | None:
        if self._packet is not None:
            self._drop("cut")
        if len(piece) < 2:
            return self._drop("length")
        size = (piece[0] << 8 | piece[1]) + 2
        if size > self.most:
            return self._drop("overrun")
        if size < max(AROUND_BYTES, len(piece)):
            return self._drop("length")
        if size == len(piece):
            return self._checked(piece)
        self._packet = bytearray(size)
        self._filled = 0
        return self._go_on(piece)

    def _go_on(self, piece: bytes) -> bytes | None:
        packet = self._packet
        if packet is None:
            return self._drop("cut")
        filled = self._filled + len(piece)
        if filled > len(packet):
            return self._drop("length")
        packet[self._filled : filled] = piece
        self._filled = filled
        if filled < len(packet):
            return None
        self._packet = None
        return self._checked(packet)

    def _checked(self, packet: "bytes | bytearray") -> bytes | None:
        view = memoryview(packet)
        if crc16(view[2:]):  # of a message with its CRC behind it, it is 0
            return self._drop("crc")
        return bytes(view[2:-2])

    def _drop(self, cause: str) -> bytes | None:
        """Count what is dropped, and give nothing in place of a message."""
        self.dropped[cause] += 1
        self._packet = None
        return None


def _mark(line: bytes) -> int:
    """Give where the last mark stands: base64 holds none, so that what is before it has lost its end."""
    first = line.rfind(FIRST)
    after = line.rfind(NEXT)
    return first if first > after else after


def _piece(text: bytes) -> bytes | None:
    """Read base64. Written again it must be the same: interpreters differ in what else they let pass."""
    if text[-1:] == b"\r":  # from a terminal between
        text = text[:-1]
    try:
        piece = a2b_base64(text)
    except ValueError:
        return None
    return piece if piece and b2a_base64(piece)[:-1] == text else None
