"""CRC-16/XMODEM in Python, for interpreters whose binascii has none."""

from array import array


def _row(byte: int) -> int:
    crc = byte << 8
    for _ in range(8):
        crc = crc << 1 ^ (0x1021 if crc & 0x8000 else 0)
    return crc & 0xFFFF


TABLE = array("H", [_row(byte) for byte in range(256)])


def crc_hqx(data: "bytes | bytearray | memoryview", start: int) -> int:
    """Do what CPython's function of this name does."""
    table = TABLE
    crc = start
    for byte in data:
        crc = (crc << 8 & 0xFF00) ^ table[crc >> 8 ^ byte]
    return crc
