"""What a picture file says of itself before anything is decoded: its kind, size and depth.

A file of a few hundred bytes can claim a size that fills the memory of a board, so the claim is read first.

Sources: ITU-T T.81 (JPEG) B.2; W3C PNG, 11.2.2; Microsoft BITMAPFILEHEADER and BITMAPINFOHEADER;
TIFF 6.0, section 2, and the BigTIFF layout of libtiff; RFC 9649 (WebP), 2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from edge_sdk.errors import FrameError

__all__ = ["Header", "read_header"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_TIFF_ENTRIES_MOST = 4096
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_SAMPLES = 256, 257, 258, 277


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a picture file claims.

    Attributes
    ----------
    kind : str
        ``JPEG``, ``PNG``, ``BMP``, ``TIFF`` or ``WebP``.
    width_px, height_px : int
        Size, before the orientation is applied.
    samples : int
        Values per pixel once decoded, alpha included.
    bits : int
        Bits per value.
    alpha : bool
        Whether one of the values is opacity.
    progressive : bool
        Whether it is a JPEG whose coefficients are all held in memory while it is decoded.
    data_offset : int
        From where the picture itself is to be found; 0 where that does not matter.
    """

    kind: str
    width_px: int
    height_px: int
    samples: int = 3
    bits: int = 8
    alpha: bool = False
    progressive: bool = False
    data_offset: int = 0

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width_px * self.height_px


def read_header(file: BinaryIO, name: str) -> Header:
    """Read the header of a picture file.

    Parameters
    ----------
    file : binary file, seekable
        The file, anywhere.
    name : str
        What to call it in messages.

    Raises
    ------
    FrameError
        If it is no picture of a known kind, or ends within its header.
    """
    file.seek(0)
    start = file.read(32)
    try:
        header = _dispatch(file, start)
    except (struct.error, IndexError, OverflowError) as error:
        raise FrameError(
            f"{name} is cut short: it ends or goes astray within its header.",
            why="Copying was not finished, the disk was full, or the file is damaged.",
            fix="Copy it again from where it came from.",
        ) from error
    if header is None:
        raise FrameError(
            f"{name} is not a picture: it starts with {start[:8]!r}.",
            why="JPEG, PNG, BMP, TIFF and WebP are read.",
            fix="Convert it to one of these; phones can be set to take JPEG.",
        )
    if header.width_px < 1 or header.height_px < 1:
        raise FrameError(
            f"{name} says that it is {header.width_px}x{header.height_px} pixels.",
            why="The header is damaged.",
            fix="Copy it again from where it came from.",
        )
    return header


def _dispatch(file: BinaryIO, start: bytes) -> Header | None:
    if start[:3] == b"\xff\xd8\xff":
        return _jpeg(file)
    if start[:8] == _PNG_SIGNATURE:
        return _png(file, start)
    if start[:2] == b"BM":
        return _bmp(start)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff(file, start)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return _webp(start)
    return None


def _jpeg(file: BinaryIO) -> Header:
    at = 2
    while True:
        file.seek(at)
        mark, kind, length = struct.unpack(">BBH", file.read(4))
        if mark != 0xFF:
            raise struct.error("no marker where one must be")
        if kind == 0xFF:  # A fill byte; the marker follows it.
            at += 1
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            bits, height, width, samples = struct.unpack(">BHHB", file.read(6))
            later = kind in (0xC2, 0xC6, 0xCA, 0xCE)
            return Header("JPEG", width, height, samples, bits, progressive=later, data_offset=at + 2 + length)
        else:
            at += 2 + length


def _png(file: BinaryIO, start: bytes) -> Header:
    width, height, bits, colour = struct.unpack(">IIBB", start[16:26])
    samples = _PNG_SAMPLES.get(colour, 4)
    alpha = colour in (4, 6) or _png_has_transparency(file)
    return Header("PNG", width, height, 4 if alpha else samples, max(bits, 8), alpha)


def _png_has_transparency(file: BinaryIO) -> bool:
    """Look for a ``tRNS`` chunk, which stands before the first ``IDAT``."""
    at = 8
    while True:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind in (b"tRNS", b"IDAT", b"IEND"):
            return bool(kind == b"tRNS")
        at += 12 + length


def _bmp(start: bytes) -> Header:
    if struct.unpack("<I", start[14:18])[0] == 12:  # The header of OS/2.
        width, height, _, bits = struct.unpack("<HHHH", start[18:26])
    else:
        width, height, _, bits = struct.unpack("<iiHH", start[18:30])
    return Header("BMP", abs(width), abs(height), 4 if bits == 32 else 3)


def _tiff(file: BinaryIO, start: bytes) -> Header:
    order = "<" if start[:1] == b"I" else ">"
    big = b"+" in start[2:4]
    offset_type, count_type, entry_bytes, value_at = ("Q", "Q", 20, 12) if big else ("I", "H", 12, 8)
    (offset,) = struct.unpack_from(order + offset_type, start, 8 if big else 4)
    file.seek(offset)
    (count,) = struct.unpack(order + count_type, file.read(struct.calcsize(order + count_type)))
    table = file.read(min(count, _TIFF_ENTRIES_MOST) * entry_bytes)
    found = {_TIFF_BITS: 8, _TIFF_SAMPLES: 1}
    for row in range(0, len(table), entry_bytes):
        tag, kind, values = struct.unpack_from(order + "HH" + offset_type, table, row)
        if tag not in (_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_SAMPLES) or kind not in _TIFF_TYPES:
            continue
        value_type = order + _TIFF_TYPES[kind]
        field = table[row + value_at : row + entry_bytes]
        if values * struct.calcsize(value_type) > len(field):  # Too many to stand here: the field says where.
            file.seek(struct.unpack(order + offset_type, field)[0])
            field = file.read(8)
        (found[tag],) = struct.unpack_from(value_type, field)
    if _TIFF_WIDTH not in found or _TIFF_HEIGHT not in found:
        raise struct.error("no width or height")
    samples = found[_TIFF_SAMPLES]
    return Header(
        "TIFF", found[_TIFF_WIDTH], found[_TIFF_HEIGHT], samples, max(found[_TIFF_BITS], 8), samples in (2, 4)
    )


def _webp(start: bytes) -> Header:
    form = start[12:16]
    if form == b"VP8X":
        (width,) = struct.unpack("<I", start[24:27] + b"\0")
        (height,) = struct.unpack("<I", start[27:30] + b"\0")
        alpha = bool(start[20] & 0x10)
        return Header("WebP", width + 1, height + 1, 4 if alpha else 3, alpha=alpha)
    if form == b"VP8L":
        (word,) = struct.unpack("<I", start[21:25])
        alpha = bool(word >> 28 & 1)
        return Header("WebP", (word & 0x3FFF) + 1, (word >> 14 & 0x3FFF) + 1, 4 if alpha else 3, alpha=alpha)
    width, height = struct.unpack("<HH", start[26:30])
    return Header("WebP", width & 0x3FFF, height & 0x3FFF)
