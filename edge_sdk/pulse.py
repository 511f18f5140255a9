"""What a running process tells of its work, for `edge watch`: a small file in the user's runtime folder.

The file lies in memory (tmpfs), never on flash; where there is no such folder nothing is written. It is written once a
second at the most, and goes when the process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from boards.telemetry.file import Files, unescaped

__all__ = ["PULSE", "Beat", "Pulse", "pulse_folder", "read_beats"]

_EVERY_S = 1.0
_IDLE_S = 30.0  # Longer than the slowest board takes for a frame.
_MOST = 1 << 63  # numbers beyond it, and those that are none (NaN), nobody told
_KINDS: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "int | None": (int, type(None)),
}


@dataclass(frozen=True, slots=True)
class Beat:
    """What a process told last.

    Attributes
    ----------
    bundle : str
        What it has loaded.
    budget_bytes : int or None
        What it may take; None where it was loaded without a budget.
    frames, tokens : int
        Frames encoded and tokens decoded since it was started.
    frames_per_s, tokens_per_s : float
        Of the last second or more.
    at_s : float
        When, on the system's monotonic clock.
    """

    pid: int
    bundle: str
    budget_bytes: int | None
    frames: int
    tokens: int
    frames_per_s: float
    tokens_per_s: float
    at_s: float

    def idle(self, now_s: float) -> bool:
        """Say whether it has told nothing for a while."""
        return now_s - self.at_s > _IDLE_S


def pulse_folder(environ: Mapping[str, str] = os.environ, root: str | Path = "/") -> Path | None:
    """Give the folder for such files; None where the user has no runtime folder in memory.

    Source: XDG Base Directory Specification 0.8, XDG_RUNTIME_DIR.
    """
    told = environ.get("XDG_RUNTIME_DIR", "")
    if not told.startswith("/"):
        return None
    best = kind = ""
    for line in (Files(root).whole("/proc/self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        mount = unescaped(fields[4]) if len(fields) > 4 else ""
        if mount and f"{told}/".startswith(f"{mount.rstrip('/')}/") and len(mount) >= len(best):
            best, kind = mount, right.partition(" ")[0]
    return Path(told) / "edge" if kind in ("tmpfs", "ramfs") else None


class Pulse:
    """Counts what a process does, and tells it now and then.

    Parameters
    ----------
    folder : function
        Gives where to; asked once, at the first beat.
    clock : function
        Monotonic seconds, the same in all processes.
    """

    def __init__(
        self, folder: Callable[[], Path | None] = pulse_folder, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._clock = folder, clock
        self._lock = threading.Lock()
        self._bundle = ""
        self._budget_bytes: int | None = None
        self._frames = self._tokens = 0
        self._told = (0.0, 0, 0)
        self._last_s = float("-inf")
        self._next_s = float("-inf")
        self._file: Path | None = None
        self._pid = 0

    def loaded(self, bundle: str, budget_bytes: int | None) -> None:
        """Tell from now on that a bundle is loaded."""
        self._bundle, self._budget_bytes = bundle, budget_bytes

    def beat(self, *, frames: int = 0, tokens: int = 0) -> None:
        """Count what was done; that takes about a microsecond, and once a second 50 for the file."""
        with self._lock:
            now_s = self._clock()
            if now_s - self._last_s > _IDLE_S:  # rates are those of work, not of the rest before it
                self._told = now_s, self._frames, self._tokens
            self._last_s = now_s
            self._frames += frames
            self._tokens += tokens
            if now_s >= self._next_s:
                self._next_s = now_s + _EVERY_S
                self._write(now_s)

    def close(self) -> None:
        """Take the file away."""
        if self._file is not None and self._pid == os.getpid():
            with contextlib.suppress(OSError):
                self._file.unlink()

    def _write(self, now_s: float) -> None:
        if self._pid != os.getpid() and not self._begin():
            self._next_s = float("inf")
            return
        assert self._file is not None
        before_s, frames, tokens = self._told
        span_s = now_s - before_s or float("inf")
        beat = Beat(
            self._pid,
            self._bundle,
            self._budget_bytes,
            self._frames,
            self._tokens,
            round((self._frames - frames) / span_s, 2),
            round((self._tokens - tokens) / span_s, 2),
            round(now_s, 3),
        )
        self._told = now_s, self._frames, self._tokens
        part = self._file.with_suffix(".part")
        with contextlib.suppress(OSError):  # work goes on, whatever becomes of this
            part.write_text(json.dumps(asdict(beat)))
            part.replace(self._file)

    def _begin(self) -> bool:
        """Find the place of this process's file, also after a fork; say whether there is one."""
        folder = self._folder()
        if folder is None:
            return False
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            return False
        self._pid = os.getpid()
        self._file = folder / f"{self._pid}.json"
        atexit.register(self.close)
        return True


PULSE = Pulse()
"""That of this process."""


def read_beats(folder: Path | None, pid: int | None = None) -> list[Beat]:
    """Read what running processes told last, by their numbers; files of those that are gone are taken away.

    Parameters
    ----------
    folder : Path or None
        From `pulse_folder`.
    pid : int, optional
        Only this process.
    """
    found = []
    for file in folder.glob("*.json") if folder else ():
        try:
            beat = _beat(file.read_bytes())
        except (OSError, ValueError, TypeError, RecursionError):  # gone, or of another version
            continue
        if not Path(f"/proc/{beat.pid}").exists():
            with contextlib.suppress(OSError):
                file.unlink()
        elif pid in (None, beat.pid):
            found.append(beat)
    return sorted(found, key=lambda beat: beat.pid)


def _beat(text: bytes) -> Beat:
    """Read one, if every part of it is of its kind: any program may have written the file."""
    beat = Beat(**json.loads(text))
    for part in fields(beat):
        value = getattr(beat, part.name)
        if type(value) not in _KINDS[str(part.type)] or (isinstance(value, (int, float)) and not abs(value) < _MOST):
            raise TypeError(part.name)
    return beat
