"""Pictures as a camera: one file, a folder, or whatever a pattern finds, in order of names."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from edge_sdk.errors import CameraError
from edge_sdk.frame import Frame
from edge_sdk.frame.picture import SUFFIXES
from edge_sdk.sources.source import Options

__all__ = ["PictureSource"]


class PictureSource:
    """Every picture of a file, folder or pattern; a folder is searched through all its folders.

    Parameters
    ----------
    target : str
        ``slide.jpg``, ``slides/`` or ``slides/**/*.png``.
    options : Options
        There are none.

    Raises
    ------
    CameraError
        If there is no such picture, or no picture in there.
    """

    live = False
    interval_s = 0.0

    def __init__(self, target: str, options: Options) -> None:
        options.check()
        self.name = target
        self._paths = _find(target)

    def read(self, sequence: int) -> Frame | None:
        """Open the next picture."""
        if sequence >= len(self._paths):
            return None
        return Frame.open(self._paths[sequence], sequence=sequence)

    def reopen(self) -> None:
        """Do nothing: a file does not come unplugged."""

    def interrupt(self) -> None:
        """Do nothing: reading a file does not hang."""

    def close(self) -> None:
        """Do nothing: a file is open only while it is read."""


def _find(target: str) -> list[Path]:
    path = Path(target)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()]
        missing = "The folder is empty, or holds other kinds of files."
    elif glob.has_magic(target):
        anchor = Path(path.anchor)
        found = [p for p in anchor.glob(str(path.relative_to(anchor))) if p.is_file()]
        missing = "No name fits the pattern."
    else:
        raise CameraError(
            f"There is no {target}.",
            why="It is neither a file, a folder, a pattern such as *.jpg, nor a camera such as /dev/video0.",
            fix="Check the spelling, and the folder that the program runs in.",
        )
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise CameraError(f"There are no pictures in {target}.", why=missing, fix=f"Known kinds: {kinds}.")
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Order names as people do: ``2.jpg`` before ``10.jpg``."""
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
