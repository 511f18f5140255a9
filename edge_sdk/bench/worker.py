"""What `edge_sdk.bench.bench` starts: does one job, and tells what it found as one line of JSON."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time

from edge_sdk.bench.job import JOBS, Job
from edge_sdk.errors import EdgeError

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1  # Source: prctl(2).


def main() -> None:
    """Do the job on the command line."""
    # Both count from the same moment: CLOCK_MONOTONIC is the machine's.
    started_s = time.monotonic() - float(sys.argv[4])
    os.setpgrp()  # see `edge_sdk.bench.process`
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    said = json.loads(sys.argv[3])
    job = Job(**{**said, "sets": tuple(said["sets"])})
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)  # whatever a library prints is none of the figures
        try:
            found: dict[str, object] = {"found": {**JOBS[job.kind](job), "process_start": started_s}}
        except EdgeError as error:
            found = {"error": [error.what, error.why, error.fix]}
        json.dump(found, output)
