"""Columns of text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["columns"]


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    r"""Set rows in columns under their heads: what begins with a digit to the right, the rest to the left.

    Examples
    --------
    >>> print(*columns(("what", "much"), [("a", "12 MB"), ("bcdef", "3 MB")]), sep="\n")
    what    much
    a      12 MB
    bcdef   3 MB
    """
    found = []
    widths = [max(len(line[place]) for line in (heads, *rows)) for place in range(len(heads))]
    right = [any(line[place][:1].isdigit() for line in rows) for place in range(len(heads))]
    for line in (heads, *rows):
        cells = zip(line, widths, right, strict=True)
        found.append("  ".join(cell.rjust(width) if to else cell.ljust(width) for cell, width, to in cells).rstrip())
    return found
