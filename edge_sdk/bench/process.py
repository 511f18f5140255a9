"""Do a job in a process of its own: what one leaves in memory is not counted for the next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict

from edge_sdk.bench.job import Job
from edge_sdk.errors import EdgeError, ModelError
from edge_sdk.worker import worker_command

__all__ = ["do_job"]

_LIMIT_S = 3600.0


def do_job(job: Job) -> dict[str, float]:
    """Start a process, wait for it, and give what it found.

    Raises
    ------
    EdgeError
        What the job raised, or why its process ended without a result.
    """
    command = worker_command("edge_sdk.bench.worker", json.dumps(asdict(job)), str(time.monotonic()))
    try:
        ended = _run(command)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{job.path} was not measured within {_LIMIT_S:.0f} s ({job.kind}).") from error
    if ended.returncode < 0:
        raise ModelError(
            f"Measuring {job.path} ended with {signal.Signals(-ended.returncode).name} ({job.kind}).",
            why="The engine crashed on it, or the kernel stopped the process because memory ran out.",
            fix="Give a budget, such as --budget 256MB; edge doctor says what is wrong with the machine.",
        )
    if ended.returncode:
        lines = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ModelError(f"{job.path} could not be measured ({job.kind}).", why=lines[-1] if lines else None)
    told = json.loads(ended.stdout)
    if "error" in told:
        what, why, fix = told["error"]
        raise EdgeError(what, why=why, fix=fix)
    found: dict[str, float] = told["found"]
    return found


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a command; it and all that it started end with us, whatever ends the wait."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            output, errors = process.communicate(timeout=_LIMIT_S)
        except BaseException:
            process.kill()
            with suppress(ProcessLookupError):
                # What packs weights is a process of its own, in the group that the worker made first of all. No
                # session: the scheduler would give that a share of its own, whatever priority we were started with.
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
