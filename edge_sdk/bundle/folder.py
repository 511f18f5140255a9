"""The folder of bundles: what is there by name, what is put there, and what is taken away.

Shipped bundles lie in the package and are never touched; one in the folder goes before a shipped one of the
same name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.errors import BundleError, StorageError
from edge_sdk.late import Late

if TYPE_CHECKING:
    from edge_sdk.bundle import verification
else:
    verification = Late("edge_sdk.bundle.verification")

__all__ = [
    "StoredBundle",
    "add_bundle",
    "bundle_folder",
    "find_bundle",
    "list_bundles",
    "remove_bundle",
    "sha256",
    "user_folder",
]

SUFFIXES = (".litertlm", ".tflite")
SHIPPED = Path(__file__).parents[1] / "data"
_CHUNK_BYTES = 1 << 20
_LEFTOVER_S = 24 * 3600.0

# Told how many bytes are done, now and then.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A bundle that has a name here."""

    name: str
    path: Path
    size_bytes: int
    shipped: bool


def bundle_folder() -> Path:
    """Return the folder of bundles: ``$EDGE_BUNDLES``, or ``edge/bundles`` where the user's data lie."""
    told = os.environ.get("EDGE_BUNDLES")
    if told:
        return Path(told)
    data = user_folder("XDG_DATA_HOME", ".local/share")
    if data is None:
        raise StorageError("There is no folder for bundles: this user has no home.", fix="Name one in EDGE_BUNDLES.")
    return data / "edge" / "bundles"


def user_folder(variable: str, usual: str) -> Path | None:
    """Return the folder that a variable names, or else a usual one at home; ``None`` for a user without a home.

    Source: XDG Base Directory Specification 0.8, by which relative paths count for nothing.
    """
    told = Path(os.environ.get(variable) or ".")
    if told.is_absolute():
        return told
    try:
        return Path.home() / usual
    except RuntimeError:
        return None


def list_bundles() -> list[StoredBundle]:
    """Return every bundle that has a name here, by name."""
    found: dict[str, StoredBundle] = {}
    folders = [(SHIPPED, True)]
    with contextlib.suppress(StorageError):  # a user without a home has what is shipped
        folders.append((bundle_folder(), False))
    for folder, shipped in folders:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for path in sorted(folder.iterdir()):
                if path.suffix in SUFFIXES and not path.name.startswith(".") and path.is_file():
                    found[path.stem] = StoredBundle(path.stem, path, path.stat().st_size, shipped)
    return sorted(found.values(), key=lambda stored: stored.name)


def find_bundle(name: str | os.PathLike[str]) -> Path:
    """Return the path of a bundle that is given by its name or by its path.

    Raises
    ------
    BundleError
        No bundle has that name, and there is no such file.
    """
    text = os.fspath(name)
    stored = {item.name: item.path for item in list_bundles()}
    if isinstance(name, str) and text in stored:
        return stored[text]
    path = Path(text)
    if path.is_file():
        return path
    raise BundleError(
        f"There is no bundle {text}.",
        why=f"No file lies there, and the names known are: {', '.join(stored) or 'none'}.",
        fix="Give the path of a .litertlm or .tflite file, or put one in place with: edge bundle add FILE",
    )


def add_bundle(
    file: str | os.PathLike[str], *, name: str | None = None, progress: Progress | None = None
) -> StoredBundle:
    """Copy a bundle into the folder, verified, in one step or not at all.

    Parameters
    ----------
    file : path
        A ``.litertlm`` or ``.tflite`` file.
    name : str, optional
        What to call it; by default what the file is called.
    progress : callable, optional
        Told how many bytes are done; twice the file's size in the end, written and read again.

    Raises
    ------
    BundleError
        The file is damaged, or the name is taken or cannot be used.
    StorageError
        The disk is full or fails; nothing is left behind.
    """
    source = Path(file)
    verification.verify_bundle(source)
    target = _target(source, source.stem if name is None else name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _drop_leftovers(target.parent)
        _copy(source, target, progress)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StorageError(
            f"{source} could not be copied to {target.parent}.",
            why=error.strerror or str(error),
            fix="Free some space; nothing was left behind." if full else "Set EDGE_BUNDLES to another folder.",
        ) from error
    return StoredBundle(target.stem, target, target.stat().st_size, shipped=False)


def remove_bundle(name: str) -> Path:
    """Remove a bundle from the folder; shipped ones stay, and so does everything outside the folder.

    Raises
    ------
    BundleError
        No bundle in the folder has that name.
    """
    folder = bundle_folder()
    # Only what the listing found is ever removed, so a name cannot lead out of the folder.
    stored = next((item for item in list_bundles() if item.name == name), None)
    if stored is None or stored.shipped:
        inside = [item.name for item in list_bundles() if not item.shipped]
        raise BundleError(
            f"{name} came with the SDK and stays." if stored else f"There is no bundle {name} in {folder}.",
            why=f"The folder {folder} holds: {', '.join(inside) or 'nothing'}.",
        )
    try:
        stored.path.unlink()
    except OSError as error:
        raise StorageError(f"{stored.path} could not be removed.", why=error.strerror) from error
    return stored.path


def sha256(path: Path, progress: Progress | None = None) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    import hashlib  # loads OpenSSL, 3 MB and 15 ms that nothing else here needs

    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            if progress:
                progress(len(chunk))
    return digest.hexdigest()


def _target(source: Path, name: str) -> Path:
    """Return the path that a bundle of a name will have, the name being free and fit for one."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(@[A-Za-z0-9._-]{1,50})?", name):
        raise BundleError(
            f"{name!r} cannot be a bundle's name.",
            why="Names are letters, digits, dots, dashes and underscores, 100 at most, and may end in @ and a variant.",
            fix="Give another one with --name.",
        )
    suffix = source.suffix.lower() if source.suffix.lower() in SUFFIXES else ".litertlm"
    folder = bundle_folder()
    for taken in (folder / (name + ending) for ending in SUFFIXES):
        if taken.exists():
            raise BundleError(
                f"There is a bundle {name} already: {taken}",
                fix=f"Remove it (edge bundle remove {name}), or give another name with --name.",
            )
    return folder / (name + suffix)


def _copy(source: Path, target: Path, progress: Progress | None) -> None:
    """Write beside the target, force it to the disk, read it again, and only then give it its name."""
    import hashlib

    part = target.with_name(f".{target.stem}.{time.time_ns():x}.part")
    try:
        digest = hashlib.sha256()
        with part.open("xb") as out, source.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                out.write(chunk)
                digest.update(chunk)
                if progress:
                    progress(len(chunk))
            out.flush()
            os.fsync(out.fileno())
            # What is read again shall come from the disk and not from memory.
            os.posix_fadvise(out.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if sha256(part, progress) != digest.hexdigest():
            raise StorageError(
                f"{source} was copied, but the copy reads back differently.",
                why="The disk or its cable is failing; SD cards do this when they wear out.",
                fix="Try another disk: set EDGE_BUNDLES to a folder on it.",
            )
        verification.verify_bundle(part)
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _drop_leftovers(folder: Path) -> None:
    """Remove what a power cut in the middle of an earlier copy left."""
    for part in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _LEFTOVER_S:
                part.unlink()
