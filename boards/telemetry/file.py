"""Small files of the kernel: read cheaply, and what could not be read is named instead of raised."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

__all__ = ["Files", "unescaped"]

# More than any file read here holds: memory.stat, the longest, has about 2 kB.
_CHUNK_BYTES = 16_384


class Files:
    """Read files below a root; remember which could not be read, and why.

    Parameters
    ----------
    root : str or Path
        The folder that stands for `/`.
    keep : bool
        Keep the files open from one reading to the next: a read is then one system call instead of three. Only right
        for the kernel's own files, where an open file gives the value of now, and an error once its device is gone; a
        common file that was replaced would go on giving the old value.
    """

    def __init__(self, root: str | Path = "/", *, keep: bool = False) -> None:
        self._root = os.fspath(root).rstrip("/")
        self._keep = keep
        self._open: dict[str, int] = {}
        self._unreadable: dict[str, str] = {}

    def text(self, path: str, *, optional: bool = False) -> str | None:
        """Give a file's text without the white space around it; None where it cannot be read or is empty.

        Parameters
        ----------
        path : str
            As on the board, from `/`.
        optional : bool
            Whether the file may be missing; else a missing one is named among the unreadable.
        """
        data = self._data(path, optional=optional)
        if data is None:
            return None
        text = data.decode("utf-8", "replace").strip("\0 \t\r\n")
        if not text:
            self.note(path, "is empty")
            return None
        return text

    def number(self, path: str, *, least: int = 0, optional: bool = False, base: int = 10) -> int | None:
        """Give a file's whole number; None, and the file named, where it holds something else or less than `least`."""
        data = self._data(path, optional=optional)
        if data is None:
            return None
        try:
            value = int(data, base)
            if value >= least:
                return value
        except ValueError:
            pass
        text = data[:40].decode("utf-8", "replace").strip("\0 \t\r\n")
        self.note(path, f"holds {text!r}" if text else "is empty")
        return None

    def names(self, folder: str, pattern: str = "") -> list[str]:
        """Give the names in a folder that match a pattern from first letter to last, `zone2` before `zone10`."""
        try:
            names = os.listdir(self._root + folder)  # noqa: PTH208 (names are wanted, and no Path for each)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self.note(folder, error)
            return []
        return sorted((name for name in names if re.fullmatch(pattern or ".*", name)), key=_by_number)

    def exists(self, path: str) -> bool:
        """Say whether there is such a file or folder."""
        return os.path.exists(self._root + path)  # noqa: PTH110 (a Path would cost more than the call)

    def whole(self, path: str) -> str | None:
        """Give a text of any length, with the file opened anew; None where there is none or it cannot be read."""
        try:
            return self._read(path).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            self.note(path, error)
            return None

    def note(self, path: str, reason: str | OSError) -> None:
        """Name a file that could not be read or made no sense."""
        self._unreadable[path] = reason if isinstance(reason, str) else reason.strerror or str(reason)

    def take_unreadable(self) -> tuple[str, ...]:
        """Give what could not be read since the last call, as `path: reason`, and forget it."""
        found, self._unreadable = self._unreadable, {}
        return tuple(f"{path}: {reason}" for path, reason in found.items())

    def close(self) -> None:
        """Close the files that were kept open, and keep none from now on."""
        self._keep = False
        while self._open:
            os.close(self._open.popitem()[1])

    def _data(self, path: str, *, optional: bool) -> bytes | None:
        try:
            return self._pread(path) if self._keep else self._read(path)
        except OSError as error:
            if not (optional and isinstance(error, FileNotFoundError)):
                self.note(path, error)
            return None

    def _read(self, path: str) -> bytes:
        file = os.open(self._root + path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            chunks = [os.read(file, _CHUNK_BYTES)]
            # Long tables come in parts, and a short part is not the end.
            while chunks[-1]:
                chunks.append(os.read(file, _CHUNK_BYTES))
            return b"".join(chunks)
        finally:
            os.close(file)

    def _pread(self, path: str) -> bytes:
        kept = self._open.get(path)
        if kept is not None:
            try:
                return os.pread(kept, _CHUNK_BYTES, 0)
            except OSError as error:
                # The device is gone; another of its name may have come since.
                os.close(self._open.pop(path))
                if error.errno != errno.ENODEV:
                    raise
        self._open[path] = file = os.open(self._root + path, os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(file, _CHUNK_BYTES, 0)


def _by_number(name: str) -> list[tuple[bool, int, str]]:
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"([0-9]+)", name)]


def unescaped(path: str) -> str:
    r"""Undo the octal escapes in the kernel's tables: `\040` for a blank.

    >>> print(unescaped(r"/swap\040file"))
    /swap file
    """
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), path)
