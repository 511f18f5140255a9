"""Where what was measured of a bundle is written down: a folder beside the packed weights, one file for each case."""

from __future__ import annotations

import json
import logging
import os
import platform
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from edge_sdk.bundle import Bundle
from edge_sdk.runtime import WeightCache

__all__ = ["describe_circumstances", "record_file", "write_record"]

logger = logging.getLogger(__name__)
_PACKAGES = {"litert": ("ai-edge-litert",), "interpreter": ("tflite-runtime", "ai-edge-litert")}
_ENDS_BYTES = 1 << 18


def describe_circumstances(engine: str, threads: int, *, cached: bool) -> str:
    """Put into words what figures depend on: the engine and its version, the kind of processor, how it is run."""
    from importlib import metadata  # takes 2 MB, which a process that plans nothing does without

    version = "none"
    for package in _PACKAGES[engine]:
        with suppress(metadata.PackageNotFoundError):
            version = f"{package} {metadata.version(package)}"
            break
    weights = ", cache file" if cached and engine == "litert" else ""
    return f"{engine}, {version}, {platform.machine()}, {threads} threads{weights}"


def record_file(weight_cache: WeightCache, bundle: Bundle, circumstances: str) -> Path:
    """Name the file for a bundle, known again by its size and its first and last bytes, wherever it lies."""
    with Path(bundle.path).open("rb") as stream:
        start = stream.read(_ENDS_BYTES)
        stream.seek(-min(_ENDS_BYTES, bundle.size_bytes), os.SEEK_END)
        content = zlib.crc32(stream.read(), zlib.crc32(start))
    name = f"{bundle.size_bytes:x}-{content:08x}-{zlib.crc32(circumstances.encode()):08x}.json"
    return weight_cache.folder.parent / "measured" / name


def write_record(file: Path, figures: Mapping[str, object]) -> None:
    """Write it beside its place, then rename it; where that fails, it is measured again next time."""
    part = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(figures))
        part.replace(file)
    except OSError as error:
        logger.warning("What was measured is not kept: %s: %s.", file, error.strerror)
