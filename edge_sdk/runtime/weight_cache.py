"""Packed weights, kept in files between runs.

An engine rearranges ("packs") weights for the processor it runs on. Kept in a file, they load in a tenth of
the time and become pages that the kernel can drop and read again, instead of memory of the process.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from edge_sdk.bundle import user_folder
from edge_sdk.errors import StorageError
from edge_sdk.late import LateLogger
from edge_sdk.runtime.region import Region
from edge_sdk.units import format_bytes

__all__ = ["WeightCache"]

logger = LateLogger(__name__)
_SUFFIX, _UNFINISHED = ".weights", ".unfinished"
_INDEX, _INDEX_MAX = "contents.json", 64
_ABANDONED_S = 3600.0
_TOUCH_S = 3600.0
# XNNPACK's cache header: version (0 while it is written), offset and size of the list at the end, stale flag.
# Source: tflite/delegates/xnnpack/weight_cache.h in github.com/google-ai-edge/LiteRT.
_HEADER = struct.Struct("<QQQB")
_CPU_KEYS = ("model name", "flags", "Features", "CPU implementer", "CPU variant", "CPU part", "isa", "uarch")


class WeightCache:
    """A folder of packed weights with a limit on its size.

    A file is named after the model's content, the processor and the engine's build, so a changed model, a
    card moved to another board or an upgrade never meet a wrong one. It is written beside its place, flushed
    and then renamed: a file under its final name is whole, whatever happens to the power. Several processes
    may share the folder. Where the cache cannot be used (a full disk, a read-only folder) models load without
    it, slower and with more memory, and `problem` says why.

    Parameters
    ----------
    folder : path
        Where; made when it is first needed.
    quota_bytes : int
        How much it may take; the files that were not used for the longest time go first.

    Attributes
    ----------
    problem : StorageError or None
        Why the last model had to do without the cache.
    """

    def __init__(self, folder: str | os.PathLike[str], quota_bytes: int = 2 << 30) -> None:
        self.folder = Path(folder)
        self.quota_bytes = quota_bytes
        self.problem: StorageError | None = None

    def __repr__(self) -> str:
        return f"<WeightCache {self.folder}: {self.size_bytes() >> 20} of {self.quota_bytes >> 20} MiB>"

    @classmethod
    def usual(cls) -> WeightCache | None:
        """Give the user's folder of packed weights, or what ``EDGE_CACHE`` says; None for a user without a home."""
        if own := os.environ.get("EDGE_CACHE"):
            return cls(own)
        home = user_folder("XDG_CACHE_HOME", ".cache")
        return cls(home / "edge" / "weights") if home else None

    def find(self, region: Region, library: Path) -> Path | None:
        """Return the file with a model's packed weights, None where there is none or the model is not known yet.

        Unlike `ready` this writes nothing and reads none of the model.
        """
        digest = self._known(region, self._read_index())
        target = self._target(digest, library) if digest else None
        return target if target and is_whole(target) else None

    def size_bytes(self) -> int:
        """Return how much the files take."""
        return sum(size for _, size, _ in self._files())

    def obstacle(self, whole_bytes: int, missing_bytes: int) -> str:
        """Say what keeps packed weights from being kept here, empty where nothing is known to; nothing is written.

        Parameters
        ----------
        whole_bytes : int
            What all that is to be kept takes together.
        missing_bytes : int
            What of it is not there yet.
        """
        if self.problem is not None:
            return self.problem.why or self.problem.what
        if whole_bytes > self.quota_bytes:
            return f"They take {format_bytes(whole_bytes)}, and the quota is {format_bytes(self.quota_bytes)}."
        if not _quotable(self.folder):
            return f"The engine cannot write to a folder named {str(self.folder)!r}."
        if not missing_bytes:
            return ""
        place = next(folder for folder in (self.folder, *self.folder.absolute().parents) if folder.exists())
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            return f"{place} is no folder that may be written to."
        free_bytes = _free_bytes(place)
        if free_bytes < missing_bytes:
            return f"{format_bytes(missing_bytes)} are to be written, {format_bytes(free_bytes)} are free in {place}."
        return ""

    def ready(self, region: Region, library: Path, pack: Callable[[Path], None]) -> Path | None:
        """Return the file with a model's packed weights, made by ``pack(path)`` where there is none.

        The first call for a model reads all of it to know its content, which takes as long as packing would to
        read it; later calls go by the file's size and times.

        Parameters
        ----------
        region : Region
            The model.
        library : pathlib.Path
            The engine's library, whose build the packing belongs to.
        pack : callable
            Has the engine write a cache file at the path that it is given.

        Returns
        -------
        pathlib.Path or None
            None where the model is too large for the quota, or `problem` says why; that is logged, too.

        Raises
        ------
        ModelError
            From ``pack``: the model is one that the engine does not take.
        """
        self.problem = None
        if region.size > self.quota_bytes or not _quotable(self.folder):
            logger.info("%s is loaded without the weight cache: it does not fit into its quota.", region.name)
            return None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            target = self._target(self._content(region), library)
            if is_whole(target):
                self._mark_used(target)
                return target
            return self._make(target, region, pack)
        except OSError as error:
            self.problem = self._storage_error(region, error)
            logger.warning("%s", self.problem)
            return None

    def discard(self, file: Path) -> None:
        """Delete a file that the engine did not accept; it is made anew next time."""
        logger.warning("The weight cache %s is damaged; it will be made again.", file)
        with contextlib.suppress(OSError):
            file.unlink()

    def _make(self, target: Path, region: Region, pack: Callable[[Path], None]) -> Path:
        self._make_room(region.size, keep=target)
        free_bytes = _free_bytes(self.folder)
        if free_bytes < region.size:
            raise OSError(errno.ENOSPC, f"{free_bytes >> 20} MiB are free, about {region.size >> 20} needed.")
        part = self.folder / f"{target.stem}-{os.getpid()}-{time.monotonic_ns()}{_UNFINISHED}"
        try:
            pack(part)
            if not is_whole(part):
                raise OSError(errno.ENOSPC, "The engine did not write all of it.")
            _flush(part)
            part.replace(target)
            _flush(self.folder)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
        self._make_room(0, keep=target)
        return target

    def _content(self, region: Region) -> str:
        """Return the SHA-256 of a region, remembered by the file's identity, size and times."""
        index = self._read_index()
        if known := self._known(region, index):
            return known
        key, stamp = _identity(region)
        digest = _sha256(region)
        index.pop(key, None)
        index[key] = [*stamp, digest]
        with contextlib.suppress(OSError):  # only the next load gets slower
            part = self.folder / f"{_INDEX}-{os.getpid()}-{time.monotonic_ns()}{_UNFINISHED}"
            part.write_text(json.dumps(dict(list(index.items())[-_INDEX_MAX:])))
            part.replace(self.folder / _INDEX)
        return digest

    def _known(self, region: Region, index: dict[str, object]) -> str | None:
        """Return what the index says of a region, None where the file is not the one that it tells of."""
        key, stamp = _identity(region)
        known = index.get(key)
        if isinstance(known, list) and known[:-1] == stamp and isinstance(known[-1], str):
            return known[-1]
        return None

    def _target(self, digest: str, library: Path) -> Path:
        return self.folder / f"{digest[:24]}-{_place(library)}{_SUFFIX}"

    def _read_index(self) -> dict[str, object]:
        try:
            found = json.loads((self.folder / _INDEX).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Yield when each file was last used, its size and path; sweep up what a power cut left behind."""
        with contextlib.suppress(OSError):
            for file in self.folder.iterdir():
                with contextlib.suppress(OSError):  # another process may delete it meanwhile
                    facts = file.stat()
                    if file.suffix == _SUFFIX:
                        yield facts.st_mtime, facts.st_size, file
                    elif file.suffix == _UNFINISHED and time.time() - facts.st_mtime > _ABANDONED_S:
                        file.unlink()

    def _make_room(self, needed_bytes: int, keep: Path) -> None:
        files = sorted(self._files())
        total = sum(size for _, size, _ in files) + needed_bytes
        for _, size, file in files:
            if total > self.quota_bytes and file != keep:
                # Whoever has it mapped keeps its pages.
                file.unlink(missing_ok=True)
                total -= size

    def _mark_used(self, file: Path) -> None:
        # At most once an hour, to spare the flash; a folder that is read-only keeps its order.
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > _TOUCH_S:
                os.utime(file)

    def _storage_error(self, region: Region, error: OSError) -> StorageError:
        why = error.why if isinstance(error, StorageError) else error.strerror or str(error)
        return StorageError(
            f"The weight cache in {self.folder} cannot be used; {region.name} is loaded without it.",
            why=why,
            fix="Free some space there, or choose another folder; answers are the same, loading is slower.",
        )


def is_whole(file: Path) -> bool:
    """Say whether a cache file was written to its end; one cut off, or of another kind, was not."""
    try:
        with file.open("rb") as stream:
            version, at, size, stale = _HEADER.unpack(stream.read(_HEADER.size))
            return bool(version and size and not stale and at + size == stream.seek(0, os.SEEK_END))
    except (OSError, struct.error):
        return False


def _identity(region: Region) -> tuple[str, list[int]]:
    """Return by what a region is known again, and what changes when its file does."""
    facts = region.path.stat()
    key = f"{facts.st_dev}:{facts.st_ino}:{region.offset}:{region.size}"
    return key, [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]


def _sha256(region: Region) -> str:
    import hashlib  # loads OpenSSL, 3 MB that a model whose content is known does without

    digest, left = hashlib.sha256(), region.size
    with region.path.open("rb") as stream:
        stream.seek(region.offset)
        while left and (chunk := stream.read(min(left, 1 << 20))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def _place(library: Path) -> str:
    """Return a name for this processor with this build of the engine."""
    facts = library.stat()
    return f"{zlib.crc32(f'{_processor()} {facts.st_size} {facts.st_mtime_ns}'.encode()):08x}"


@cache
def _processor() -> str:
    """Return what decides which packing the engine chooses: the instruction sets, and the cores."""
    lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    return "\n".join(sorted({line for line in lines if line.split("\t")[0].split(":")[0].strip() in _CPU_KEYS}))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free_bytes(folder: Path) -> int:
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


def _quotable(folder: Path) -> bool:
    """Say whether a folder's name can stand in the engine's settings, which know no escapes."""
    return not any(character in '"\\' or character < " " for character in str(folder))
