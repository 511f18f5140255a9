"""Writes a journal in a thread of its own: a card may take a second for a commit, and no trigger waits for that."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable

from edge_sdk.errors import StorageError
from edge_sdk.sensors.journal import Journal
from edge_sdk.sensors.record import NOTE, PROBLEM, Record, Tell

__all__ = ["Scribe"]

_WAITING_MOST = 2000
_END_S = 10.0


class Scribe:
    """Takes records from any thread and adds them to a journal; what fails is told once, and tried again.

    Parameters
    ----------
    journal : Journal
        Written by this alone, and closed with it.
    tell : function
        Takes what is said of the journal itself.
    clock : function
        Monotonic seconds.

    Attributes
    ----------
    skipped : int
        Records that came faster than they could be written; told when it is closed.
    """

    def __init__(self, journal: Journal, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._journal, self._tell, self._clock = journal, tell, clock
        self._queue: queue.Queue[Record | None] = queue.Queue(_WAITING_MOST)
        self._failing = False
        self.skipped = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Write in a thread from now on."""
        self._thread = threading.Thread(target=self._run, name="rules-journal", daemon=True)
        self._thread.start()

    def put(self, record: Record) -> None:
        """Have a record written; nobody waits for it."""
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.skipped += 1

    def write_next(self) -> bool:
        """Write the record that waits longest, once there is one; False when there is to be none any more."""
        record = self._queue.get()
        if record is None:
            return False
        try:
            self._journal.add(record)
        except StorageError as error:
            self._fail(error)
        else:
            if self._failing:
                self._failing = False
                lost = f"; {self._journal.lost} entries are lost" if self._journal.lost else ""
                self._say(NOTE, f"the log is written again{lost}")
        return True

    def close(self) -> None:
        """Write all that waits and close the journal; twice is harmless."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=_END_S)
            thread.join(_END_S)
            if thread.is_alive():  # to close what it writes would wait for it without end
                self._say(PROBLEM, "not all was logged: the disk takes longer than anybody waits for it")
                return
        if self.skipped:
            self._say(PROBLEM, f"{self.skipped} entries were not logged: they came faster than the disk took them")
            self.skipped = 0
        try:
            self._journal.close()
        except StorageError as error:
            self._fail(error)

    def _run(self) -> None:
        while self.write_next():
            pass

    def _say(self, kind: str, text: str) -> None:
        self._tell(Record(kind, self._clock(), "log", text))

    def _fail(self, error: StorageError) -> None:
        if not self._failing:
            self._failing = True
            why = {"why": error.why, "fix": error.fix}
            self._tell(Record(PROBLEM, self._clock(), "log", f"not logged: {error.what} {error.why}", why))
