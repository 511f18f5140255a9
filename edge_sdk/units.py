"""Amounts of memory as people write them: ``512MB``, ``1.5 GiB``, or a plain number of bytes."""

from __future__ import annotations

import math
import re

from edge_sdk.errors import UnitError

__all__ = ["format_bytes", "parse_bytes"]

# Source: IEC 80000-13 for the binary prefixes; without an i they are the decimal ones of the SI.
_UNITS = {
    "": 1,
    "b": 1,
    "bytes": 1,
    **{f"{letter}{ending}": 1000**power for power, letter in enumerate("kmgt", 1) for ending in ("", "b")},
    **{f"{letter}i{ending}": 1024**power for power, letter in enumerate("kmgt", 1) for ending in ("", "b")},
}
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE | re.ASCII)
_MOST_BYTES = 1 << 50


def parse_bytes(amount: str | int) -> int:
    """Read an amount of memory.

    Parameters
    ----------
    amount : str or int
        A number with a unit, such as ``512MB`` (512 000 000) or ``0.5 GiB`` (536 870 912); bytes without one.

    Returns
    -------
    int
        Bytes, rounded down.

    Raises
    ------
    UnitError
        It is no amount, or none that memory comes in.

    Examples
    --------
    >>> parse_bytes("512MB"), parse_bytes("1.5 GiB"), parse_bytes(4096)
    (512000000, 1610612736, 4096)
    """
    found = _AMOUNT.fullmatch(str(amount)) if not isinstance(amount, bool) else None
    factor = _UNITS.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise UnitError(
            f"{amount!r} is no amount of memory.",
            why="A number with KB, MB, GB, KiB, MiB or GiB is expected, or a plain number of bytes.",
            fix="Write it like 512MB or 1.5GiB.",
        )
    size_bytes: float = float(found[1]) * factor
    if not 1 <= size_bytes <= _MOST_BYTES:
        raise UnitError(f"{amount!r} is {'more' if size_bytes > 1 else 'less'} memory than there can be.")
    return math.floor(size_bytes)


def format_bytes(size_bytes: int) -> str:
    """Write an amount of memory for people: decimal units, three digits at the most that tell something.

    Examples
    --------
    >>> format_bytes(512_000_000), format_bytes(1_536_000), format_bytes(2_500_000_000), format_bytes(999)
    ('512 MB', '1.5 MB', '2.5 GB', '999 bytes')
    """
    size, unit = float(size_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        # What would be written as 1000 belongs to the next unit.
        if abs(size) < (1000 if unit == "bytes" else 999.5):
            break
        size, unit = size / 1000, larger
    digits = 1 if unit != "bytes" and abs(size) < 9.95 else 0
    return f"{size:.{digits}f}".removesuffix(".0") + f" {unit}"
