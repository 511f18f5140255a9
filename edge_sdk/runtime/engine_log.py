"""What an engine prints to standard error while it loads a model, caught and handed on as log records.

The engines have no other way to say why a model was refused, and greet every process with a line.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from edge_sdk.late import LateLogger

__all__ = ["Caught", "caught"]

logger = LateLogger(__name__)
_STDERR = 2
# How the engines begin their lines; the last is the second line of one complaint.
_LABELS = ("INFO: ", "WARNING: ", "ERROR: ", "VERBOSE: ", "See instructions: ")
_PLACE = re.compile(r"^ERROR: (\[\S+:\d+\] )?")  # the label, and where in the engine's source it was said
_one_at_a_time = threading.Lock()


@dataclass(slots=True)
class Caught:
    """The engine's lines, added to whenever a block ends."""

    lines: list[str] = field(default_factory=list)

    def complaints(self) -> str:
        """Return what was said to be wrong, each thing once, one a line."""
        errors = [_PLACE.sub("", line) for line in self.lines if line.startswith("ERROR: ")]
        return "\n".join(dict.fromkeys(errors))


@contextmanager
def caught(found: Caught) -> Iterator[None]:
    """Catch standard error for the length of a block; what others write meanwhile is handed on at its end."""
    with _one_at_a_time:
        try:
            before = os.dup(_STDERR)
        except OSError:  # standard error is closed: nothing to catch, and nobody to read it
            yield
            return
        try:
            catcher = os.memfd_create("engine-log")
        except OSError:
            os.close(before)
            raise
        try:
            os.dup2(catcher, _STDERR)
            try:
                yield
            finally:
                os.dup2(before, _STDERR)
                _sort(catcher, found)
        finally:
            os.close(catcher)
            os.close(before)


def _sort(catcher: int, found: Caught) -> None:
    os.lseek(catcher, 0, os.SEEK_SET)
    with os.fdopen(os.dup(catcher), "rb") as stream:
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip()
            if line.startswith(_LABELS):
                found.lines.append(line)
                logger.debug("%s", line)
            else:
                with suppress(OSError):  # its reader has gone
                    os.write(_STDERR, raw)
