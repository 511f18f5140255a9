"""Is a delegate to be trusted with a model? Tried in a process of its own, against the CPU's answers."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sdk.bundle.tflite import TfliteModel
from edge_sdk.errors import EdgeError, ModelError
from edge_sdk.runtime.delegate import Delegate
from edge_sdk.runtime.delegate_finding import DelegateFinding, keep, recall
from edge_sdk.runtime.interpreter import InterpreterModel, installed_interpreter
from edge_sdk.runtime.region import Region
from edge_sdk.worker import worker_command

__all__ = ["cpu_limit_s", "open_delegated", "trial_limit_s"]

logger = logging.getLogger(__name__)
# Counts up where the check itself changes, so that what an older one found is not believed.
_CHECK = 1
# For each step. An Edge TPU gets its firmware when it is first opened, an NPU's graph is compiled: seconds.
_LIMIT_S = 60.0
# For the start of a Python and the CPU's answers: minutes for a large model on the smallest boards.
_START_S, _CPU_S_PER_MB, _CPU_LIMIT_S = 60.0, 5.0, 900.0
_GONE_S = 5.0  # a process that hangs in a driver does not even end when it is killed
_STEPS = {"cpu": "the CPU answered", "load": "loading", "run": "answering", "close": "closing"}


def cpu_limit_s(size_bytes: int) -> float:
    """Give how long the CPU may take for its answers with a model of some size."""
    return min(_CPU_LIMIT_S, _START_S + _CPU_S_PER_MB * size_bytes / 1e6)


def trial_limit_s(size_bytes: int) -> float:
    """Give the longest that it may take to find out about a delegate, whatever hangs."""
    return cpu_limit_s(size_bytes) + (len(_STEPS) - 1) * _LIMIT_S + 2 * _GONE_S


def open_delegated(
    delegate: Delegate,
    region: Region,
    description: TfliteModel,
    threads: int,
    folder: Path | None,
    *,
    idle: bool = True,
) -> tuple[InterpreterModel | None, DelegateFinding]:
    """Open a model with a delegate, if that may run it, and say what is known about the two.

    Parameters
    ----------
    region, description : Region, TfliteModel
        The model: where it is, and what it says of itself.
    folder : pathlib.Path, optional
        Where findings are kept: the weight cache's.
    idle : bool
        Open it even if the delegate takes none of its operators.
    """
    library = delegate.find()
    parts, why = _parts(delegate, region, description)
    identity = _identity(delegate, [library, *(part.path for part in parts)], region)
    finding = recall(folder, identity)
    if finding is None:
        finding = _find_out(delegate, library, region, parts, why, threads)
        _note(folder, identity, finding)
    if not finding.taken or (finding.operators == 0 and not idle):
        return None, finding
    program = parts[0]
    try:
        return InterpreterModel(program, program.describe(), threads, delegate), finding
    except ModelError as error:
        reason = f"It was right before, and now: {error.why or error.what}"
        finding = replace(finding, outcome="refused", reason=reason, fix=delegate.install)
        _note(folder, identity, finding)
        return None, finding


def _parts(delegate: Delegate, region: Region, description: TfliteModel) -> tuple[tuple[Region, Region], str]:
    """Return what the delegate and the CPU would run, and why the delegate cannot."""
    try:
        return delegate.program(region), delegate.unfit(description)
    except EdgeError as error:
        return (region, region), error.what


def _note(folder: Path | None, identity: dict[str, Any], finding: DelegateFinding) -> None:
    keep(folder, identity, finding)
    grave = finding.outcome in ("wrong", "crashed", "hung")
    logger.log(logging.WARNING if grave else logging.INFO, "%s", finding)


def _identity(delegate: Delegate, files: Sequence[Path | None], region: Region) -> dict[str, Any]:
    """Return everything on which the outcome depends: what may change, and by ``place`` what stays."""
    facts = {file: file.stat() for file in files if file}
    return {
        "place": [delegate.name, delegate.library, str(region.path.absolute()), region.offset, region.size],
        "files": [[str(file), fact.st_size, fact.st_mtime_ns] for file, fact in facts.items()],
        "options": [list(option) for option in delegate.options],
        # The other half of an accelerator's driver is in the kernel.
        "system": [installed_interpreter(), os.uname().release, _CHECK],
    }


def _find_out(
    delegate: Delegate, library: Path | None, region: Region, parts: Sequence[Region], unfit: str, threads: int
) -> DelegateFinding:
    about = delegate.name, region.name
    if library is None:
        return DelegateFinding(*about, "missing", f"{delegate.library} is not installed.", delegate.install)
    if unfit:
        return DelegateFinding(*about, "unfit", unfit)
    request = {
        "delegate": [delegate.name, str(library), delegate.options],
        "regions": [[str(part.path), part.offset, part.size] for part in parts],
        "threads": threads,
    }
    outcome, reason, operators = _Trial(request).outcome()
    return DelegateFinding(*about, outcome, reason, delegate.install if outcome == "refused" else "", operators)


class _Trial:
    """A child process that tries a delegate, and says at every step which one comes next."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._cpu_limit_s = cpu_limit_s(max(size for _, _, size in request["regions"]))
        self._step = "cpu"
        self._done: tuple[str, str, int | None] | None = None

    def outcome(self) -> tuple[str, str, int | None]:
        """Let it run to its end, its crash or its time limit."""
        reading, writing = os.pipe()
        try:
            child = subprocess.Popen(
                worker_command("edge_sdk.runtime.delegate_worker", json.dumps(self._request | {"pipe": writing})),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(writing,),
            )
        finally:
            os.close(writing)
        try:
            in_time = self._follow(reading)
            if in_time:
                in_time = _wait(child)
        finally:
            os.close(reading)
            child.kill()
            _wait(child)
        return self._judge(child.returncode if in_time else None)

    def _follow(self, reading: int) -> bool:
        """Read what the child says until it ends; say whether every step was done in time."""
        text = b""
        while True:
            limit_s = self._cpu_limit_s if self._step == "cpu" else _LIMIT_S
            if not select.select([reading], [], [], limit_s)[0]:
                return False
            part = os.read(reading, 1 << 16)
            if not part:
                return True
            *lines, text = (text + part).split(b"\n")
            for line in lines:
                said = json.loads(line)
                self._step = said.get("step", self._step)
                if "outcome" in said:
                    self._done = said["outcome"], said["reason"], said["operators"]

    def _judge(self, code: int | None) -> tuple[str, str, int | None]:
        step = _STEPS[self._step]
        if code == 0 and self._done:
            return self._done
        if self._step == "cpu":
            return "refused", "The check ended before the CPU had answered, so nothing is known about it.", None
        if code is None:
            return "hung", f"It hung while {step}: nothing for {_LIMIT_S:.0f} s.", None
        if code == -signal.SIGKILL:
            return "refused", f"It was killed while {step}, as happens where memory runs out.", None
        how = f"with {signal.Signals(-code).name}" if code < 0 else f"its process, with exit code {code},"
        return "crashed", f"It {'crashed' if code < 0 else 'ended'} {how} while {step}.", None


def _wait(child: subprocess.Popen[bytes]) -> bool:
    """Say whether a process came to its end within moments."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GONE_S)
    return child.returncode is not None
