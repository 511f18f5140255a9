"""What `edge_sdk.doctor.examination` starts: does checks one after the other, and tells each finding at once."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from boards import detect
from boards.detection import OVERRIDE
from edge_sdk.doctor.finding import Finding, failure, nothing
from edge_sdk.doctor.surroundings import Surroundings
from edge_sdk.errors import EdgeError

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1  # Source: prctl(2).


def main() -> None:
    """Do what the job on the command line names; lines of JSON go to where standard output was."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    job = json.loads(sys.argv[3])
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as output:
        # Whatever a library prints is none of the findings.
        os.dup2(2, 1)
        here = Surroundings(root=Path(job["root"]), environ=dict(os.environ))
        try:
            detect(here.root, here.environ)
        except EdgeError:  # board.known tells of it; all else looks at the machine as it is
            del os.environ[OVERRIDE]
        for place, (id_, home) in enumerate(job["checks"]):
            _say(output, begin=place)
            told = False
            for finding in _findings(home, here):
                told = _say(output, finding=replace(finding, id=id_).as_json())
            if not told:
                _say(output, finding=replace(nothing("There is nothing of that kind here."), id=id_).as_json())
            _say(output, end=place)


def _findings(home: str, here: Surroundings) -> Iterable[Finding]:
    """Do one check; whatever goes wrong in it is a finding."""
    module, _, name = home.partition(":")
    try:
        function: Callable[[Surroundings], Iterable[Finding]] = getattr(import_module(module, __package__), name)
        yield from function(here)
    except EdgeError as error:
        yield failure(" ".join(filter(None, (error.what, error.why))), error.fix or "")
    except ImportError as error:
        yield failure(f"A library is missing or damaged: {error}.", "edge doctor --only python says which.")
    except Exception as error:
        what = f"The check itself failed: {type(error).__name__}: {error}."
        yield failure(what, "Tell whoever looks after the SDK, with edge doctor --report FILE.zip.")


def _say(output: Any, **line: object) -> bool:
    output.write(json.dumps(line) + "\n")
    return True


if __name__ == "__main__":
    main()
