"""Reads small files that somebody names: a device, a pipe or a film given by mistake is told, not read to its end."""

from __future__ import annotations

import stat
from pathlib import Path

from boards.errors import EdgeError

__all__ = ["read_file"]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a disk"),
)


def read_file(path: str | Path, most_bytes: int, error: type[EdgeError], *, fix: str) -> bytes:
    """Read all of a file that is to be small.

    Parameters
    ----------
    most_bytes : int
        The largest that it may be.
    error : type
        What is raised, so that it fits what the file is for.
    fix : str
        What to do about a file that is not the right one.

    Raises
    ------
    EdgeError
        Of the type that was asked for: the file is missing, locked, none at all, or too large.
    """
    try:
        kind = Path(path).stat().st_mode  # before it is opened: a pipe waits for its other end then, some devices act
        other = next((name for is_such, name in _KINDS if is_such(kind)), "")
        data = b"" if other else _read(Path(path), most_bytes + 1)
    except (OSError, ValueError) as cause:  # ValueError: a name with a NUL in it
        why = getattr(cause, "strerror", None) or str(cause)
        raise error(f"{path} cannot be read.", why=f"{why}.", fix=fix) from cause
    if other:
        raise error(f"{path} cannot be read.", why=f"It is {other}, not a file.", fix=fix)
    if len(data) > most_bytes:
        raise error(
            f"{path} is too large.", why=f"It has more than {most_bytes} bytes, the most there can be.", fix=fix
        )
    return data


def _read(path: Path, most_bytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most_bytes)
