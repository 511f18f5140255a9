"""Have checks done in processes of their own, and go on when one of them hangs or crashes."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from edge_sdk.doctor.check import Check
from edge_sdk.doctor.finding import Finding
from edge_sdk.worker import worker_command

__all__ = ["examine"]

_START_S = 60.0  # To start Python from the slowest card.
_REAP_S = 2.0  # A killed process ends at once, unless it waits in the kernel for a device.
_AGAIN = "edge doctor --only {id} does it again; if it ends the same way, restart the board."


def examine(
    checks: Sequence[Check], *, root: str | Path = "/", clock: Callable[[], float] = time.monotonic
) -> Iterator[Finding]:
    """Do checks, and yield what they find as they find it.

    Quick checks share a process, the others get one each. One that takes longer than its limit is killed with all
    that it started, and counts as a failure, as does one that crashes; those after it are done all the same.

    Parameters
    ----------
    checks : sequence of Check
        From `find_checks`.
    root : path
        The folder that stands for ``/``.
    clock : callable
        Monotonic seconds.
    """
    left = list(checks)
    while left:
        count = next((place for place, check in enumerate(left) if check.apart), len(left))
        batch = left[: max(1, count)]
        try:
            worker = _Worker(batch, Path(root), clock)
        except OSError as error:
            fix = "Close other programs: there is no room for another process."
            yield Finding("failure", f"No process could be started: {error.strerror}.", fix, batch[0].id)
            left = left[1:]
            continue
        with worker:
            yield from worker.findings()
        left = left[worker.done :]


class _Worker:
    """A process that does some checks in order."""

    def __init__(self, checks: Sequence[Check], root: Path, clock: Callable[[], float]) -> None:
        self.done = 0
        """How many of the checks are over, in one way or another."""
        self._checks = checks
        self._clock = clock
        job = {"root": str(root), "checks": [(check.id, check.home) for check in checks]}
        self._process = subprocess.Popen(
            worker_command("edge_sdk.doctor.worker", json.dumps(job)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # So that all of it can be killed, and none of it is by Ctrl-C.
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        self._text = b""

    def __enter__(self) -> _Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_S)
        self._output.close()

    def findings(self) -> Iterator[Finding]:
        """Yield what it finds until its last check is over, hangs or has ended the process."""
        deadline_s = self._clock() + _START_S
        begun = False
        while self.done < len(self._checks):
            line = self._line(deadline_s)
            check = self._checks[self.done]
            if line is None:
                self.done += 1
                yield self._lost(check, hung=True, begun=begun)
                return
            if not line:
                self.done += 1
                yield self._lost(check, hung=False, begun=begun)
                return
            told = json.loads(line)
            if "begin" in told:
                begun, deadline_s = True, self._clock() + check.limit_s
            elif "end" in told:
                self.done += 1
            else:
                yield Finding(**told["finding"])

    def _line(self, deadline_s: float) -> bytes | None:
        """Wait for a line; nothing where the process has ended, None where the time is over."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while b"\n" not in self._text:
                left_s = deadline_s - self._clock()
                if left_s <= 0 or not selector.select(left_s):
                    return None
                part = os.read(self._output.fileno(), 1 << 16)
                if not part:
                    return b""
                self._text += part
        line, _, self._text = self._text.partition(b"\n")
        return line

    def _lost(self, check: Check, *, hung: bool, begun: bool) -> Finding:
        if not begun:
            what = "Its process did not start."
        elif hung:
            what = f"It hung: no answer within {check.limit_s:g} s."
        else:
            what = f"It crashed: its process ended {self._how()}."
        return Finding("failure", what, _AGAIN.format(id=check.id), check.id)

    def _how(self) -> str:
        try:
            code = self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:
            return "its output"
        if code == -signal.SIGILL:
            return "with SIGILL: a library uses instructions that this processor lacks"
        if code == -signal.SIGKILL:
            return "with SIGKILL, as happens where memory runs out"
        return f"with {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
