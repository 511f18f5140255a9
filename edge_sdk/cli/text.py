"""How text from outside is shown, and rows of a table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import click

__all__ = ["coloured", "plain", "rows"]


def coloured(text: str, colour: str | None) -> str:
    """Colour a text, unless the user wants none.

    Source: https://no-color.org
    """
    return text if colour is None or os.environ.get("NO_COLOR") else click.style(text, fg=colour)


def plain(text: str) -> str:
    """Take out what would steer the terminal: cameras, boards and files say what they like.

    Examples
    --------
    >>> plain("a\\x1b[2Jb")
    'a [2Jb'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


def rows(cells: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write rows with their columns under each other.

    Examples
    --------
    >>> list(rows([("x", "1 um"), ("long", "2 um")]))
    ['x     1 um', 'long  2 um']
    """
    table = [[plain(cell) for cell in row] for row in cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
