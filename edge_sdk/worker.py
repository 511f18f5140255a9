"""Start parts of this package in processes of their own."""

from __future__ import annotations

import json
import sys

__all__ = ["worker_command"]

# Found on the path of this process, whatever that is, and not on that of a fresh one.
_START = (
    "import importlib, json, sys; sys.path[:] = json.loads(sys.argv[1]); importlib.import_module(sys.argv[2]).main()"
)


def worker_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module's ``main()``, which finds its arguments from ``sys.argv[3]`` on."""
    # Isolated: a json.py in the folder that someone happens to stand in is none of ours.
    return [sys.executable, "-I", "-c", _START, json.dumps(sys.path), module, *arguments]
