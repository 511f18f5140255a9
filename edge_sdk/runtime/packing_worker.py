"""What `edge_sdk.runtime.packing` runs in a process of its own."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from edge_sdk.runtime.litert import LiteRtModel
from edge_sdk.runtime.region import Region

__all__ = ["main"]


def main() -> None:
    """Load a model with a new cache file, and prepare all of its signatures."""
    path, offset, size, threads, file = sys.argv[3:]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would fill what is left of a full disk
    region = Region(Path(path), int(offset), int(size))
    model = LiteRtModel(region, region.describe(), int(threads), file, whole=True)
    model.prepare()
    model.close()
