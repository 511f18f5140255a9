"""The process of one turn of one side: it imports what that side needs and no more, for its memory is measured."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from peer.side import SIDES
from peer.turn import Job


def work(kind: str, name: str, told: str) -> None:
    """Measure, and print JSON on the real standard output."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the libraries log on both
    plain = json.loads(told)
    paths = {key: Path(plain[key]) for key in ("file", "cache")}
    job = Job(**plain | paths | {"pictures": [Path(path) for path in plain["pictures"]]})
    side = next(side for side in SIDES[kind] if side.name == name)
    json.dump(side.function()(job), out)
    out.flush()
    os._exit(0)  # LiteRT-LM's threads sometimes crash at exit


if __name__ == "__main__":
    work(*sys.argv[1:])
