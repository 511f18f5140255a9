"""Weights that do not fit, read ahead of the engine and let go behind it.

An engine reads packed weights in the order of their file, all of them for every token. The kernel keeps what was used
last, which is what is needed last: where not everything fits it drops every page before its next use, and reads the
whole file again for each token. Here a part of the weights is kept, and only the rest is read for each token.

Measured: docs/decisions/0007-streaming.md.
"""

from __future__ import annotations

import logging
import mmap
import threading
import time
import weakref

import numpy as np
import numpy.typing as npt

from edge_sdk.memory.mapping import CHUNK_BYTES, PAGE_BYTES, Pages, find_mapping
from edge_sdk.runtime import Model

__all__ = ["Stream", "open_stream", "spread"]

logger = logging.getLogger(__name__)
# What is read ahead: enough requests under way to keep a fast disk busy; less, but not too little, in a small room.
_AHEAD, _AHEAD_LEAST = 8, 4
# What is not dropped yet: several threads of the engine are not at the same place.
_IN_USE = 2
# How long to wait before looking again how far the engine is: this, and a share of the time that it has stood still.
_NAP_S, _NAP_SHARE = 0.0002, 0.125
# After this it is looked for further on.
_STUCK_S = 0.02
# One more chunk is kept again after this many runs in which nothing was lost.
_REGAIN_RUNS = 4
# So few pages that had to be waited for in a run say nothing.
_LATE_PAGES = 128


def open_stream(model: Model, room_bytes: int) -> Stream | None:
    """Have a model's packed weights read as far as there is no room for them; it ends when the model is closed.

    Parameters
    ----------
    model : Model
        Just opened, with a weight cache.
    room_bytes : int
        What its weights may take in memory.

    Returns
    -------
    Stream or None
        None where there is nothing to read: all fits, the weights are in no file, or the kernel does not tell what is
        in memory. Plain paging does then.
    """
    known = weakref.ref(model)

    def start() -> Stream | None:
        model = known()
        place = find_mapping(model.weights) if model and model.weights else None
        if model is None or place is None or place.size_bytes <= room_bytes:
            return None
        try:
            stream = Stream(Pages(place), room_bytes)
        except OSError as error:
            logger.info("%s is paged plainly, which is slower: %s.", model.name, error.strerror)
            return None
        stream.end_with(model)
        return stream

    stream = model.attend(start)
    return stream if isinstance(stream, Stream) else None


def spread(count: int, chosen: int) -> npt.NDArray[np.bool_]:
    """Choose some of a row, evenly: so the engine finds work while the disk does.

    Returns
    -------
    ndarray
        ``(count,) bool``, of which ``chosen`` are true.

    Examples
    --------
    >>> spread(6, 2).tolist()
    [False, True, False, False, True, False]
    """
    marks = np.zeros(count, np.bool_)
    marks[((np.arange(chosen) + 0.5) * count / max(1, chosen)).astype(int)] = True
    return marks


class Stream:
    """Keeps as many chunks of a mapped file in memory as there is room for, and reads the others when their turn comes.

    A thread follows the engine: which pages the process has touched shows how far it is. Answers do not depend on it:
    what is not there in time, the engine's access brings in.

    Parameters
    ----------
    pages : Pages
        What the engine reads, from its beginning to its end in every run.
    room_bytes : int
        What of it may be in memory.

    Raises
    ------
    OSError
        The kernel takes no advice.
    """

    def __init__(self, pages: Pages, room_bytes: int) -> None:
        self._pages = pages
        room = room_bytes // CHUNK_BYTES
        self._ahead = max(_AHEAD_LEAST, min(_AHEAD, room // 4))
        self._wanted = min(pages.count, max(0, pages.count - (room - self._ahead - _IN_USE)))
        self._streamed = np.zeros(pages.count, np.bool_)
        self._whole = np.zeros(pages.count, np.bool_)  # seen in memory with all pages
        self._calm = 0
        self._running: object | None = None
        self._called = threading.Event()
        self._closed = False
        self._finalizer: weakref.finalize[..., Model] | None = None
        self._let_go(np.flatnonzero(spread(pages.count, self._wanted)))
        self._thread = threading.Thread(target=self._serve, name="weights stream", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Stream of {self._pages.count} MiB, {self.streamed} of them read anew in every run>"

    @property
    def streamed(self) -> int:
        """How many MiB are read in every run."""
        return int(self._streamed.sum())

    def begin(self) -> None:
        """Take note that the engine begins a run."""
        self._running = object()
        self._called.set()

    def end(self) -> None:
        """Take note that the run is over."""
        self._running = None
        self._called.set()

    def end_with(self, model: Model) -> None:
        """Stop with a model that nobody closes: its finalizer comes before what frees the engine's memory."""
        self._finalizer = weakref.finalize(model, self.close)

    def close(self) -> None:
        """Stop; the mapping may go after that. Twice is harmless."""
        self._closed = True
        if self._finalizer is not None:
            self._finalizer.detach()  # or one that was replaced would stay as long as the model
        self._running = None
        self._called.set()
        # The collector of a model that nobody closed may run in that very thread.
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._pages.close()

    def _serve(self) -> None:
        ahead = 0
        try:
            while not self._closed:
                self._called.wait()
                self._called.clear()
                if run := self._running:
                    ahead = self._follow(run, ahead)
                    if self._mend():
                        ahead = 0
        except OSError as error:
            if self._closed:
                return
            logger.warning("Weights are paged plainly from here on, which is slower: %s.", error.strerror)

    def _follow(self, run: object, asked: int) -> int:
        """Go with the engine through one run, and return how many chunks were asked for already for the next."""
        turns = np.flatnonzero(self._streamed).tolist()
        count, at, gone, moved_s = len(turns), 0, 0, time.monotonic()
        while self._running is run:
            # Past the end it is the beginning that comes next, as far as it was dropped.
            for index in range(asked, min(at + self._ahead, count + gone)):
                self._pages.fetch(turns[index % count])
                asked = index + 1
            waited_s = time.monotonic() - moved_s
            # The engine may have been in a chunk before it was dropped, and have left it: then it is in a later one.
            far = at + (self._ahead if waited_s > _STUCK_S else 1)
            seen = next((index for index in range(at, min(far, count)) if self._pages.used(turns[index])), None)
            if seen is None:
                self._called.wait(_NAP_S + _NAP_SHARE * waited_s)
                continue
            at, moved_s = seen + 1, time.monotonic()
            while gone < at - _IN_USE:
                self._pages.drop(turns[gone])
                gone += 1
        for index in range(gone, min(asked, count)):
            self._pages.drop(turns[index])
        return max(0, asked - count)

    def _mend(self) -> bool:
        """Fetch again what the kernel took of the kept chunks, and keep so much less; True if the choice changed.

        A part that is lost over and over costs more than one that is not kept.
        """
        missing, late = self._pages.missing(), self._pages.late()
        kept = ~self._streamed
        lost = np.where(self._whole & kept, missing, 0)
        pages = int(lost.sum())
        # Where all that is kept was there, what the engine waited for was read ahead and taken before its use.
        if self._whole[kept].all():
            pages += late if late > _LATE_PAGES else 0
        self._whole = missing == 0
        if pages and kept.any():
            self._calm = 0
            chunks = min(-(-pages * PAGE_BYTES // CHUNK_BYTES), max(1, int(kept.sum()) // 4))
            self._let_go(np.argsort(np.where(kept, lost, -1))[::-1][:chunks])
            for index in np.flatnonzero(lost * ~self._streamed).tolist():
                self._pages.fetch(index)
            return True
        self._calm += 1
        if self._calm < _REGAIN_RUNS or self.streamed <= self._wanted:
            return False
        self._calm = 0
        back = int(np.flatnonzero(self._streamed)[-1])
        self._streamed[back] = False
        self._pages.advise(back, mmap.MADV_NORMAL)
        self._pages.fetch(back)
        return True

    def _let_go(self, chunks: npt.NDArray[np.intp]) -> None:
        """Stream some chunks from now on."""
        for index in chunks.tolist():
            self._streamed[index] = True
            # Without this the kernel reads far around each page that is missing, into chunks that are kept or gone.
            self._pages.advise(index, mmap.MADV_RANDOM)
            self._pages.drop(index)
