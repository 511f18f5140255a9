"""Files that are whole or not there: written beside their place, and put there by their name alone."""

import hashlib
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PIECE_BYTES = 512
_PART = ".part"


class Files:
    """The microcontroller's files, by names that begin with a slash.

    A power cut at any moment leaves each of them as it was or as it was to be, because only the renaming counts;
    that is what littlefs and POSIX promise of it.

    Parameters
    ----------
    root : str
        The folder that stands for the slash.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")
        self._file: Any = None
        self._name = ""

    def size(self, name: str) -> int:
        """Give a file's length in bytes, -1 where there is none."""
        try:
            return int(os.stat(self._path(name))[6])
        except OSError:
            return -1

    def read(self, name: str, start: int, most: int) -> bytes:
        """Give a piece of a file."""
        with self._open(self._path(name), "rb") as file:
            file.seek(start)
            piece: bytes = file.read(most)
        return piece

    def sha256(self, name: str, between: "Callable[[], None]") -> bytes:
        """Give the SHA-256 of a file, and do something between pieces: a long one takes a second."""
        state = hashlib.sha256()
        with self._open(self._path(name), "rb") as file:
            piece = file.read(_PIECE_BYTES)
            while piece:
                state.update(piece)
                between()
                piece = file.read(_PIECE_BYTES)
        return state.digest()

    def put(self, name: str, data: bytes) -> None:
        """Write a small file whole."""
        self._make_folder(name)
        with self._open(self._path(name + _PART), "wb") as file:
            file.write(data)
        self.rename(name + _PART, name)

    def begin(self, name: str) -> None:
        """Begin to write a file; one that was begun before is dropped."""
        self.drop()
        self._make_folder(name)
        self._name = name
        self._file = self._open(self._path(name + _PART), "wb")

    def append(self, data: bytes) -> None:
        """Write on in the file that was begun."""
        self._file.write(data)

    def finish(self, name: str) -> None:
        """Put the file that was begun in its place, under the name that is given."""
        self._file.close()
        self._file = None
        self.rename(self._name + _PART, name)

    def drop(self) -> None:
        """Let go of the file that was begun; what was there before stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def rename(self, old: str, new: str) -> None:
        """Put a file in the place of another, at once."""
        self._rename(self._path(old), self._path(new))

    def _path(self, name: str) -> str:
        return self._root + name

    def _make_folder(self, name: str) -> None:
        folder = name[: name.rfind("/")]
        if folder and self.size(folder) < 0:
            os.mkdir(self._path(folder))

    def _open(self, path: str, mode: str) -> "Any":
        return open(path, mode)

    def _rename(self, old: str, new: str) -> None:
        os.rename(old, new)
