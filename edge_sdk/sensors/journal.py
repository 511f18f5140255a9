"""A log of readings, events and answers in one file that outlives power cuts and never outgrows its limit."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from edge_sdk.errors import ClosedError, StorageError
from edge_sdk.sensors.record import READING, Record

__all__ = ["LEAST_MB", "Entry", "Journal", "read_journal"]

LEAST_MB = 1.0
_MOST_MB = 64.0
_APPLICATION = 0x45444A31  # "EDJ1"
_VERSION = 1
_PAGE_BYTES = 4096
_CHECKPOINT_PAGES = 64
# What stands beside the file: its write-ahead log, which may pass a checkpoint by one batch, and the index of that.
_BESIDE_BYTES = 2 * _CHECKPOINT_PAGES * _PAGE_BYTES + 32768
_LEAST_ROOM_BYTES = 65536  # of the disk, for that index and a page of the log
_COMMIT_S = 5.0
_WAITING_MOST = 5000
_AT_ONCE_BYTES = 128 * 1024  # in a commit, which after a full disk would else be as large as all that waits
_ROW_BYTES = 64  # of an entry besides its text and data
_TOGETHER = 1000  # readings that wait for no longer than this many of them
_DROP_SHARE = 0.02  # of all entries at once, so that a full journal is not tidied at every commit
_READ_AT_ONCE = 500

_TABLE = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY,
    unix_s REAL NOT NULL,
    time_s REAL NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    data TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal.

    Attributes
    ----------
    number : int
        It only grows; the least that is left shows how much was dropped.
    unix_s : float
        The system's clock, seconds since 1970; a board without a clock of its own may have it wrong.
    record : Record
        What happened; its `time_s` counts from the board's start.
    """

    number: int
    unix_s: float
    record: Record


class Journal:
    """A SQLite file that is appended to; made anew where there is none. One process writes; any number may read.

    Events, answers and actions are on the disk when `add` returns. Readings wait, for `commit_s` at most, to be written
    with others: each commit makes an SD card write whole blocks, so a commit a reading would wear it out.
    ``synchronous=FULL`` has every commit reach the card before it counts: what was committed outlives a power cut.
    (``NORMAL``, which is usual beside WAL, would keep the file sound too, but lose the latest commits.)

    Parameters
    ----------
    path : path
        The file.
    most_mb : float
        Its limit, with what stands beside it while it is open; the oldest entries go first.
    commit_s : float
        How long readings wait.
    clock, wall : function
        Monotonic seconds; seconds since 1970.

    Attributes
    ----------
    lost : int
        Entries that could not be written, because the disk took none for too long.

    Raises
    ------
    StorageError
        If the file cannot be written, or is another program's.

    Source: https://www.sqlite.org/pragma.html#pragma_synchronous and https://www.sqlite.org/wal.html
    """

    def __init__(
        self,
        path: str | Path,
        *,
        most_mb: float = _MOST_MB,
        commit_s: float = _COMMIT_S,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if not most_mb >= LEAST_MB:
            raise StorageError(
                f"A journal of {most_mb} MB holds next to nothing.", fix=f"Give {LEAST_MB:g} MB or more."
            )
        self.path = Path(path)
        self.most_bytes = int(most_mb * 1e6)
        self.lost = 0
        self._commit_s, self._clock, self._wall = commit_s, clock, wall
        self._waiting: list[tuple[Any, ...]] = []
        self._due_s = clock() + commit_s
        self._data: sqlite3.Connection | None = None
        with self._explained("opened"):
            self._data = _open(self.path)
            self._give_back(self._data)

    def __repr__(self) -> str:
        return f"<{'closed ' if self._data is None else ''}Journal {self.path}>"

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, record: Record) -> None:
        """Add what happened; of a kind other than a reading it is on the disk afterwards.

        Raises
        ------
        StorageError
            If the disk is full or fails: what waits is tried again by the next call.
        """
        self._connection()
        if len(self._waiting) >= _WAITING_MOST:
            del self._waiting[0]
            self.lost += 1
        row = (self._wall(), record.time_s, record.kind, record.name, record.text, _packed(record))
        self._waiting.append(row)
        if record.kind != READING or self._clock() >= self._due_s or len(self._waiting) % _TOGETHER == 0:
            self.commit()

    def commit(self) -> None:
        """Write what waits, and drop the oldest where it has become too much; raises StorageError."""
        data = self._connection()
        self._due_s = self._clock() + self._commit_s
        with self._explained("written to"):
            while self._waiting:
                some = self._waiting[: self._fitting()]
                with data:
                    data.executemany(
                        "INSERT INTO entry (unix_s, time_s, kind, name, text, data) VALUES (?, ?, ?, ?, ?, ?)", some
                    )
                del self._waiting[: len(some)]
                self._shorten(data)

    def _fitting(self) -> int:
        """Count those that are written at once: one, and as many more as are not too much together."""
        sizes = itertools.accumulate(
            len(text.encode()) + len(told.encode()) + _ROW_BYTES for *_, text, told in self._waiting
        )
        return max(1, sum(1 for _ in itertools.takewhile(lambda size: size <= _AT_ONCE_BYTES, sizes)))

    @property
    def size_bytes(self) -> int:
        """What it takes of the disk, with all that stands beside it."""
        beside = (self.path.with_name(f"{self.path.name}{ending}") for ending in ("-wal", "-shm"))
        return sum(file.stat().st_size for file in (self.path, *beside) if file.exists())

    def close(self) -> None:
        """Write what waits and let go of the file; twice is harmless."""
        if self._data is None:
            return
        try:
            self.commit()
        finally:
            self._data.close()
            self._data = None

    def _connection(self) -> sqlite3.Connection:
        if self._data is None:
            raise ClosedError(f"The journal {self.path} was closed.", fix="Open it again.")
        return self._data

    def _shorten(self, data: sqlite3.Connection) -> None:
        """Drop the oldest entries until the file's pages in use are within the limit; freed ones are used again."""
        while self._used_bytes(data) > self.most_bytes - _BESIDE_BYTES:
            first, last = data.execute("SELECT min(id), max(id) FROM entry").fetchone()
            if first is None or first == last:
                return
            with data:
                data.execute("DELETE FROM entry WHERE id < ?", (first + max(1, int((last - first) * _DROP_SHARE)),))

    def _give_back(self, data: sqlite3.Connection) -> None:
        """Where the file is larger than it may be, because the limit was larger, make it smaller.

        Where that fails, for a disk that is full or another who reads, it is done at the next start.
        """
        if self.path.stat().st_size <= self.most_bytes:
            return
        with contextlib.suppress(sqlite3.Error):
            self._shorten(data)
            data.execute("VACUUM")
            data.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _used_bytes(self, data: sqlite3.Connection) -> int:
        pages, free = (data.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count"))
        return int(pages - free) * _PAGE_BYTES

    @contextlib.contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise _storage_error(self.path, done, error) from error


def _open(path: Path) -> sqlite3.Connection:
    """Open or make the file, and refuse one that is not ours before anything is changed in it."""
    data = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    try:
        application, version = (data.execute(f"PRAGMA {what}").fetchone()[0] for what in _MARKS)
        tables = data.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (application, version) != (_APPLICATION, _VERSION) and (application or version or tables):
            raise sqlite3.DatabaseError("it is another program's, or another version's")
        data.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        data.execute("PRAGMA journal_mode = WAL")
        data.execute("PRAGMA synchronous = FULL")
        data.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        data.execute(f"PRAGMA journal_size_limit = {_CHECKPOINT_PAGES * _PAGE_BYTES}")
        with data:
            data.execute("BEGIN")
            data.execute(_TABLE)
            data.execute(f"PRAGMA application_id = {_APPLICATION}")
            data.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        data.close()
        raise
    return data


_MARKS = ("application_id", "user_version")


def _packed(record: Record) -> str:
    return json.dumps(dict(record.data), separators=(",", ":"), ensure_ascii=False)


def read_journal(path: str | Path, *, after: int = 0, kind: str = "") -> Iterator[Entry]:
    """Read a journal from the oldest entry that is left, also while it is written.

    Parameters
    ----------
    path : path
        The file.
    after : int
        Only entries with a higher number.
    kind : str
        Only entries of this kind; see `edge_sdk.sensors.record.KINDS`.

    Raises
    ------
    StorageError
        If there is no such file, or it is no journal.
    """
    file = Path(path)
    try:
        if not file.exists():
            raise FileNotFoundError("there is no such file")
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as data:
            if data.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
                raise sqlite3.DatabaseError("it is another program's")
            while True:  # a few at a time: who holds a read open keeps the writer from tidying up
                rows = data.execute(
                    "SELECT id, unix_s, time_s, kind, name, text, data FROM entry WHERE id > ? AND ? IN ('', kind) "
                    "ORDER BY id LIMIT ?",
                    (after, kind, _READ_AT_ONCE),
                ).fetchall()
                for number, unix_s, time_s, *words, told in rows:
                    yield Entry(number, unix_s, Record(words[0], time_s, words[1], words[2], json.loads(told)))
                if len(rows) < _READ_AT_ONCE:
                    return
                after = rows[-1][0]
    except (sqlite3.Error, OSError) as error:
        raise _storage_error(file, "read", error) from error


def _storage_error(path: Path, done: str, error: Exception) -> StorageError:
    why = str(error)
    if "full" in why or _is_full(path.parent):  # without room for what stands beside it, SQLite tells of an I/O error
        fix = "Make room on the disk (df -h): it goes on by itself then. A smaller limit keeps it from filling again."
    elif "locked" in why:
        fix = "Another process writes it: give each its own file."
    elif "not a database" in why or "malformed" in why or "another" in why:
        fix = f"Move it away (mv {path} {path}.old); a new one is made."
    else:
        fix = "Check that its folder is there and may be written to, and that the disk is sound."
    return StorageError(f"The journal {path} could not be {done}.", why=f"{why[:1].upper()}{why[1:]}.", fix=fix)


def _is_full(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _LEAST_ROOM_BYTES
