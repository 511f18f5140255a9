"""The last messages each way, kept in memory and written to a file when something went badly wrong."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from boards.file import read_file
from firmware_bridge.error import BridgeError

__all__ = ["KEPT", "Recorded", "Recorder", "read_record", "state_folder"]

KEPT = 100
_FILES = 10
_MOST_BYTES = 32 << 20  # of a record: all of its messages as long as one can be
_SENT, _RECEIVED = ">", "<"


class Recorded(NamedTuple):
    """A message that went over the wire.

    Attributes
    ----------
    time_s : float
        On the line of ``time.monotonic()``.
    direction : str
        ``>`` to the microcontroller, ``<`` from it.
    message : bytes
        As `firmware_bridge.wire.message.decode_message` reads it.
    """

    time_s: float
    direction: str
    message: bytes


def state_folder() -> Path:
    """Give the folder where records are written to.

    Source: XDG Base Directory Specification 0.8, XDG_STATE_HOME.
    """
    told = os.environ.get("XDG_STATE_HOME", "")
    return (Path(told) if told.startswith("/") else Path.home() / ".local/state") / "edge/bridge"


class Recorder:
    """Keeps the last hundred messages each way.

    Parameters
    ----------
    folder : function
        Gives where to write; asked when something is written.
    """

    def __init__(self, folder: Callable[[], Path] = state_folder) -> None:
        self._folder = folder
        self._sent: deque[tuple[float, bytes]] = deque(maxlen=KEPT)
        self._received: deque[tuple[float, bytes]] = deque(maxlen=KEPT)
        self.sent = self._sent.append
        self.received = self._received.append

    @property
    def frames(self) -> list[Recorded]:
        """The last messages both ways, the oldest first."""
        both = [Recorded(at, _SENT, data) for at, data in self._sent.copy()]
        both += [Recorded(at, _RECEIVED, data) for at, data in self._received.copy()]
        return sorted(both, key=lambda recorded: recorded.time_s)

    def write(self, cause: str) -> Path | None:
        """Write them to a new file, and give its path; None where nothing can be written. The oldest files go."""
        lines = [f"# {cause}\n"]
        lines += [f"{time_s:.6f} {direction} {data.hex()}\n" for time_s, direction, data in self.frames]
        try:
            folder = self._folder()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.frames"
            path.write_text("".join(lines))
            for old in sorted(folder.glob("*.frames"))[:-_FILES]:
                with contextlib.suppress(OSError):
                    old.unlink()
        except (OSError, RuntimeError):  # no home, no room: the error that is being raised says more
            return None
        return path


def read_record(path: str | Path) -> tuple[str, list[Recorded]]:
    """Read a file that a recorder wrote: why it was written, and the messages.

    Raises
    ------
    BridgeError
        If it is none.
    """
    cause, frames = "", []
    fix = f"Those that a bridge writes end in .frames and lie in {state_folder()}."
    text = read_file(path, _MOST_BYTES, BridgeError, fix=fix).decode(errors="replace")
    for place, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            cause = line[1:].strip()
            continue
        try:
            time_s, direction, data = line.split(" ")
            if direction not in (_SENT, _RECEIVED):
                raise ValueError(f"{direction!r} is no direction")
            frames.append(Recorded(float(time_s), direction, bytes.fromhex(data)))
        except ValueError as error:
            raise BridgeError(
                f"{path} is no record of frames.",
                why=f"Its line {place}: {error}.",
                fix=fix,
            ) from error
    return cause, frames
