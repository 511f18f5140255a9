"""Picture files as pixels, by OpenCV, within the memory that is there."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import FrameError, StorageError
from edge_sdk.frame.array import to_bgr
from edge_sdk.frame.header import Header, read_header
from edge_sdk.frame.opencv import cv2
from edge_sdk.late import LateLogger

__all__ = ["SUFFIXES", "decode", "read", "write"]

log = LateLogger(__name__)

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})

# 75 MB of pixels: the largest sensors on microscopes (20 megapixels) pass whole, and a board of 512 MB lives.
_WHOLE_PIXELS = 25_000_000
_SIDE_MOST_PX = 2**20  # OpenCV's own limits are these two.
_PIXELS_MOST = 2**30


def read(path: Path) -> tuple[NDArray[np.uint8], int]:
    """Read a picture file.

    Returns
    -------
    pixels : (H, W, 3) uint8, BGR
    reduction : int
        By how much both sides were divided: 1, 2, 4 or 8.

    Raises
    ------
    FrameError
        If the file is missing, may not be read, is no picture, is cut short, or is too large.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            kind = "a folder" if stat.S_ISDIR(state.st_mode) else "not a file"
            raise FrameError(
                f"{path} is {kind}, not a picture.",
                fix="Name a picture file; open_camera() takes folders and devices.",
            )
        with path.open("rb") as file:
            header = read_header(file, str(path))
            _check_memory(header, state.st_size, str(path))
            file.seek(0)
            return _decode(file.read(), header, str(path))
    except OSError as error:
        raise FrameError(
            f"{path} could not be opened: {error.strerror or error}.",
            fix=_fix(error),
        ) from error


def _fix(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "Check the spelling, and the folder that the program runs in."
    if isinstance(error, PermissionError):
        return "Let this user read it: chmod a+r FILE."
    return "Check the card or disk that it lies on."


def decode(data: bytes, name: str) -> tuple[NDArray[np.uint8], int]:
    """Decode the bytes of a picture file; returns and raises as `read` does."""
    header = read_header(io.BytesIO(data), name)
    _check_memory(header, 0, name)
    return _decode(data, header, name)


def write(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write pixels as the kind of file that the name's ending says.

    Raises
    ------
    FrameError
        If the ending is of no kind that is known.
    StorageError
        If the file cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise FrameError(
            f"{path} does not say what kind of picture it should be.",
            fix=f"End its name in one of {', '.join(sorted(SUFFIXES))}.",
        )
    _, data = cv2.imencode(path.suffix, pixels)
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}.",
            fix="Check that its folder exists, may be written to, and that the disk has room (df -h).",
        ) from error


def _decode(data: bytes, header: Header, name: str) -> tuple[NDArray[np.uint8], int]:
    reduction = _reduction(header)
    if header.kind == "JPEG" and data.find(b"\xff\xd9", header.data_offset) < 0:
        # Some versions of OpenCV would fill the missing rows with grey and say nothing.
        raise _damaged(header, name, len(data))
    if header.alpha:
        flags = cv2.IMREAD_UNCHANGED
    else:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        if reduction > 1:
            flags |= getattr(cv2, f"IMREAD_REDUCED_COLOR_{reduction}")
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError) as error:
        raise _damaged(header, name, len(data)) from error
    if found is None:
        raise _damaged(header, name, len(data))
    if header.alpha and reduction > 1:
        size = (-(-header.width_px // reduction), -(-header.height_px // reduction))
        found = cv2.resize(found, size, interpolation=cv2.INTER_AREA)
    if reduction > 1:
        size_text = f"{header.width_px}x{header.height_px}"
        log.info("%s has %s pixels and was reduced to 1/%d on decoding", name, size_text, reduction)
    return to_bgr(found, name), reduction


def _reduction(header: Header) -> int:
    """Give the smallest divisor of both sides that brings the picture under the limit, 8 at most."""
    return next((r for r in (1, 2, 4) if header.pixels <= _WHOLE_PIXELS * r * r), 8)


def _damaged(header: Header, name: str, size_bytes: int) -> FrameError:
    return FrameError(
        f"{name} could not be decoded: {header.kind} of {header.width_px}x{header.height_px} pixels "
        f"in {size_bytes} bytes.",
        why="The file is cut short or damaged, or of a rare variety that OpenCV does not read.",
        fix="Copy it again from where it came from, or save it anew as JPEG or PNG.",
    )


def _check_memory(header: Header, file_bytes: int, name: str) -> None:
    size = f"{header.width_px}x{header.height_px}"
    if header.pixels > _PIXELS_MOST or max(header.width_px, header.height_px) > _SIDE_MOST_PX:
        raise FrameError(
            f"{name} says that it has {size} pixels; at most {_PIXELS_MOST} are read.",
            why="The header is damaged or made to fill the memory, or this is a scan of a whole slide.",
            fix="Cut it into tiles first.",
        )
    needed_bytes = file_bytes + _decoding_bytes(header)
    free_bytes = _free_bytes()
    if free_bytes is not None and needed_bytes > free_bytes:
        raise FrameError(
            f"{name} has {size} pixels; decoding it takes {needed_bytes / 1e6:.0f} MB "
            f"and {free_bytes / 1e6:.0f} MB are free.",
            why="This kind of file is decoded whole before it is made smaller.",
            fix="Make it smaller on another machine, or save it as plain (not progressive) JPEG.",
        )


def _decoding_bytes(header: Header) -> int:
    """Estimate the memory at the height of decoding, the reduced picture included."""
    reduced_bytes = 3 * header.pixels // _reduction(header) ** 2
    if header.kind == "JPEG":
        # Reduced block by block; OpenCV 5 was seen to hold the result twice. A progressive one keeps every
        # coefficient until its end, 16 bits each.
        return 2 * reduced_bytes + (2 * header.samples * header.pixels if header.progressive else 0)
    whole_bytes = max(header.samples, 3) * header.pixels * header.bits // 8
    return whole_bytes + reduced_bytes


def _free_bytes() -> int | None:
    """Read how much memory the kernel would give out without swapping; None where it does not say."""
    try:
        rows = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(row.split()[1]) * 1024 for row in rows if row.startswith("MemAvailable:")), None)
