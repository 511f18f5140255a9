"""Begin what will be needed next, beside what is needed first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from edge_sdk.late import LateLogger

__all__ = ["begin_ahead"]

logger = LateLogger(__name__)


def begin_ahead(work: Callable[[], None]) -> threading.Thread:
    """Do some work on a thread of its own; what goes wrong there, whoever needs its result will meet again."""

    def run() -> None:
        try:
            work()
        except Exception as error:
            logger.debug("What was begun ahead failed: %s", error)

    thread = threading.Thread(target=run, name="ahead")  # the process ends after it: the engine may be at work there
    with suppress(RuntimeError):  # of threads, too, there may be enough: then it is done when it is needed
        thread.start()
    return thread
