"""CRC-16 as XMODEM uses it: what tells a whole message from a damaged one."""

try:
    from binascii import crc_hqx
except ImportError:  # MicroPython
    try:
        from firmware_bridge.wire.crc_native import crc_hqx
    except SyntaxError:  # a port that makes no machine code
        from firmware_bridge.wire.crc_table import crc_hqx  # type: ignore[assignment]


def crc16(data: "bytes | bytearray | memoryview", start: int = 0) -> int:
    """Work out the CRC-16/XMODEM of some bytes, or go on from that of the bytes before them.

    Source: polynomial 0x1021 of ITU-T V.41, most significant bit first, from 0.

    Examples
    --------
    >>> hex(crc16(b"123456789"))
    '0x31c3'
    """
    return crc_hqx(data, start)
