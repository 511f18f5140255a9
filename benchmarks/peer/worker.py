"""The process of one turn of one side: it imports what that side needs and no more, for its memory is measured."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

from peer.turn import Job


def work(run: str, told: str) -> None:
    """Run ``module:function`` of this folder, and print JSON on the real standard output."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the libraries log on both
    plain = json.loads(told)
    paths = {key: Path(plain[key]) for key in ("file", "cache")}
    job = Job(**plain | paths | {"pictures": [Path(path) for path in plain["pictures"]]})
    module, _, name = run.partition(":")
    json.dump(getattr(import_module(f"peer.{module}"), name)(job), out)
    out.flush()
    os._exit(0)  # LiteRT-LM's threads sometimes crash at exit


if __name__ == "__main__":
    work(*sys.argv[1:])
