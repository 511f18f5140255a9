"""Measure what a bundle's sections take, once for each engine version, and remember it.

Headers do not tell everything: what an engine takes for its own records, how it packs weights for this processor,
which pages of a file a run touches. So each section is opened, run and closed in a process of its own.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from edge_sdk.bundle import Bundle
from edge_sdk.errors import BundleError, ModelError
from edge_sdk.memory.footprint import BASE, Footprint, running_bytes, takes_turns, used_graphs
from edge_sdk.memory.record import describe_circumstances, record_file, write_record
from edge_sdk.memory.workload import workload
from edge_sdk.runtime import WeightCache
from edge_sdk.worker import worker_command

__all__ = ["Measured", "Measurement", "measure", "remembered"]

logger = logging.getLogger(__name__)
_FORMAT = 2
_LIMIT_S = 900.0  # the slowest boards take minutes to pack their largest models, and to run each signature twice
_CARRIED = "edge_sdk_memory"  # the generic data in which a bundle carries measurements of itself
_MOST_BYTES = 1 << 40
# What odd figures raise, from whoever they come: a bundle that was made to mislead, a file that was cut off.
_ODD = (BundleError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one section took beyond what its process had before, in bytes.

    Attributes
    ----------
    load_private_bytes : int
        The most private memory while it was being opened.
    private_bytes, file_bytes : int
        Once it was open, before its first run; the most of it where graphs take turns, see `takes_turns`.
    signatures : mapping
        What the first runs of each signature added: private memory without the caches, and file-backed pages.
        In the order in which they were run; what a later one shares with those before it counts for these.
    left_private_bytes : int
        What was still there after it was closed.
    """

    load_private_bytes: int
    private_bytes: int
    file_bytes: int
    signatures: Mapping[str, tuple[int, int]]
    left_private_bytes: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the sections of a bundle took on one machine in one engine.

    Attributes
    ----------
    circumstances : str
        Engine and its version, kind of processor, threads, with or without cache file.
    base : Footprint
        What the process took with the engine's library loaded, and no section.
    sections : mapping
        By name; a section that the engine does not take is not there.
    carried : bool
        It came with the bundle, from another machine; else it was measured on this one.
    """

    circumstances: str
    base: Footprint
    sections: Mapping[str, Measured]
    carried: bool = False

    def footprint(self, bundle: Bundle, section: str, *, cache_length: int | None = None) -> Footprint | None:
        """Tell what a section takes, None where it was not measured.

        Parameters
        ----------
        bundle : Bundle
            The bundle that was measured, open.
        section : str
            The name of a model section.
        cache_length : int, optional
            The most tokens that one conversation will hold; by default the most that the section offers.
        """
        found = self.sections.get(section)
        used = used_graphs(workload(bundle, section), cache_length) if found is not None else []
        if found is None or any(graph.signature not in found.signatures for graph in used):
            return None
        added = {graph.signature: found.signatures[graph.signature] for graph in used}
        # Measured with the arrays that are bound to them, which are known apart.
        engine = {graph.signature: added[graph.signature][0] - graph.ends_bytes for graph in used}
        turns = self.circumstances.startswith("litert,") and takes_turns(bundle, section)
        private = found.private_bytes + running_bytes(used, engine, turns=turns)
        # Of graphs that take turns each length maps the weights again, in the place of those before.
        lengths = {graph.cache_length if turns else None for graph in used}
        touched = [
            sum(added[graph.signature][1] for graph in used if not turns or graph.cache_length == length)
            for length in lengths
        ]
        file = found.file_bytes + max(touched, default=0)
        return Footprint(found.load_private_bytes, private, file)

    def as_json(self) -> dict[str, Any]:
        """Give it as what JSON knows."""
        sections = {
            name: {
                "load_private": item.load_private_bytes,
                "private": item.private_bytes,
                "file": item.file_bytes,
                "signatures": {key: list(pair) for key, pair in item.signatures.items()},
                "left_private": item.left_private_bytes,
            }
            for name, item in self.sections.items()
        }
        base = [self.base.private_bytes, self.base.file_bytes]
        return {"format": _FORMAT, "circumstances": self.circumstances, "base": base, "sections": sections}


def measure(
    bundle: Bundle,
    *,
    engine: str,
    threads: int = 1,
    weight_cache: WeightCache | None = None,
    weight_cached: bool = True,
) -> Measurement:
    """Open, run and close each section of a bundle in a process of its own, and remember what it took.

    The process takes what it measures: on a machine that is too small for the whole bundle call it for a plan
    that fits, or not at all.

    Parameters
    ----------
    bundle : Bundle
        An open bundle.
    engine : {'litert', 'interpreter'}
        What runs it.
    threads : int
        With how many threads.
    weight_cache : WeightCache, optional
        Where its packed weights are kept, and the measurement in a folder ``measured`` beside them; without one
        nothing is written.
    weight_cached : bool
        Whether packed weights lie in a cache file while it is measured, rather than in memory; only LiteRT has such
        files.

    Raises
    ------
    ModelError
        The engine refuses all sections, or the process ended before its time.
    """
    cached = weight_cached and weight_cache is not None
    job = {
        "path": str(bundle.path),
        "engine": engine,
        "threads": threads,
        "cache": str(weight_cache.folder) if weight_cache and cached else None,
    }
    circumstances = describe_circumstances(engine, threads, cached=cached)
    try:
        found = _read({**_run(bundle, job), "format": _FORMAT, "circumstances": circumstances}, bundle)
    except _ODD as error:
        raise ModelError(
            f"{bundle.path} could not be measured.", why=f"What measures it gave no figures ({error})."
        ) from error
    if not found.sections:
        raise ModelError(f"{bundle.path} cannot be measured: {engine} takes none of its sections.")
    if weight_cache is not None:
        write_record(record_file(weight_cache, bundle, circumstances), found.as_json())
    return found


def remembered(
    bundle: Bundle,
    *,
    engine: str,
    threads: int = 1,
    weight_cache: WeightCache | None = None,
    weight_cached: bool = True,
) -> Measurement | None:
    """Return what `measure` found before in the same circumstances, here or where the bundle was packed; else None."""
    circumstances = describe_circumstances(engine, threads, cached=weight_cached and weight_cache is not None)
    if weight_cache is not None:
        with suppress(OSError, *_ODD):
            return _read(json.loads(record_file(weight_cache, bundle, circumstances).read_bytes()), bundle)
    with suppress(*_ODD):
        for item in json.loads(bundle.generic(_CARRIED)):
            if item["circumstances"] == circumstances:
                return replace(_read(item, bundle), carried=True)
    return None


def _read(data: dict[str, Any], bundle: Bundle) -> Measurement:
    """Make a measurement of its JSON; anything that is not as it was written is one of the errors in `_ODD`."""
    if data["format"] != _FORMAT:
        raise ValueError(f"Format {data['format']} is not known.")
    # The process that measures has no pipeline in it, and looks at no frames.
    least = BASE[data["circumstances"].partition(",")[0]]
    private, file = max(_size(data["base"][0]), least.private_bytes), max(_size(data["base"][1]), least.file_bytes)
    items = data["sections"].items()
    sections = {name: _section(item, bundle, name) for name, item in items if "refused" not in item}
    return Measurement(data["circumstances"], Footprint(private, private, file), MappingProxyType(sections))


def _section(item: dict[str, Any], bundle: Bundle, name: str) -> Measured:
    signatures = {key: (_size(private), _size(file)) for key, (private, file) in item["signatures"].items()}
    if signatures.keys() != {graph.signature for graph in used_graphs(workload(bundle, name), None)}:
        raise ValueError(f"{name} has other signatures.")
    loading, private, file = (_size(item[key]) for key in ("load_private", "private", "file"))
    # Below zero where closing gave back more than opening took.
    return Measured(loading, private, file, MappingProxyType(signatures), _size(max(0, item["left_private"])))


def _size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_BYTES:
        raise ValueError(f"{value!r:.40} is no size.")
    return value


def _run(bundle: Bundle, job: dict[str, Any]) -> dict[str, Any]:
    command = worker_command("edge_sdk.memory.measurement_worker", json.dumps(job))
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{bundle.path} was not measured within {_LIMIT_S:.0f} s.") from error
    if ended.returncode < 0:
        raise ModelError(
            f"Measuring {bundle.path} ended with {signal.Signals(-ended.returncode).name}.",
            why="The engine crashed on it, or the kernel stopped the process because memory ran out.",
            fix="Go by the figures from its headers (they err on the high side), or measure it on a larger machine.",
        )
    lines = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    if ended.returncode:
        raise ModelError(f"{bundle.path} could not be measured.", why=lines[-1] if lines else None)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found
