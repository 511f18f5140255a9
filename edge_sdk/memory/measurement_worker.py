"""What `edge_sdk.memory.measurement` runs in a process of its own: open each section, run it, close it, and look.

It writes one line of JSON to its standard output.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge_sdk.bundle import Bundle, Section, open_bundle
from edge_sdk.errors import EdgeError
from edge_sdk.memory.footprint import takes_turns
from edge_sdk.memory.peak import watch_peak
from edge_sdk.memory.trim import trim
from edge_sdk.memory.workload import GraphLoad, workload
from edge_sdk.runtime import Array, Model, Run, WeightCache, open_model

__all__ = ["main"]

_LOOK_S = 0.002


def main() -> None:
    """Measure what the job on the command line names."""
    job = json.loads(sys.argv[3])
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)  # whatever a library prints is none of the figures
        json.dump(_figures(job), output)


def _figures(job: dict[str, Any]) -> dict[str, Any]:
    """Measure every section of a bundle."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open_bundle(job["path"]) as bundle:
        sections = [section for section in bundle.sections if section.is_model]
        for section in sections:
            workload(bundle, section.name)
        # Once for the engine's library, and for the code in it that every section wakes.
        with suppress(EdgeError):
            _open(bundle, min(sections, key=lambda section: section.size), job).close()
        base = _settled()
        found = {section.name: _measure(bundle, section, job) for section in sections}
    return {"base": base, "sections": found}


def _open(bundle: Bundle, section: Section, job: dict[str, Any]) -> Model:
    return open_model(
        bundle.path,
        offset=section.offset,
        size=section.size,
        engine=job["engine"],
        threads=job["threads"],
        weight_cache=WeightCache(job["cache"]) if job["cache"] else None,
    )


def _measure(bundle: Bundle, section: Section, job: dict[str, Any]) -> dict[str, Any]:
    """Return what a section takes beyond what there was: opening it, each signature's first run, and afterwards."""
    before = _settled()
    graphs = workload(bundle, section.name)
    turns = job["engine"] == "litert" and takes_turns(bundle, section.name)
    signatures: dict[str, list[int]] = {}
    try:
        with watch_peak(_LOOK_S) as peak:
            model = _open(bundle, section, job)
        loading, opened = peak.private_bytes, _look()
        most = opened
        for names in _stages(model, graphs, turns=turns):
            if turns:
                _settled()
                with watch_peak(_LOOK_S) as peak:
                    for name in names:
                        model.bind(name)  # brings the graphs of this length, in the place of those before
                opened = _settled()
                loading = max(loading, peak.private_bytes)
                most = [max(pair) for pair in zip(most, opened, strict=True)]
            signatures |= _run(model, graphs, names, list(opened))
    except EdgeError as error:
        return {"refused": f"{error.what} {error.why or ''}".strip()}
    model.close()
    del model
    left = _settled()
    return {
        "load_private": max(0, max(loading, most[0]) - before[0]),
        "private": max(0, most[0] - before[0]),
        "file": max(0, most[1] - before[1]),
        "signatures": signatures,
        "left_private": left[0] - before[0],
    }


def _stages(model: Model, graphs: tuple[GraphLoad, ...], *, turns: bool) -> list[list[str]]:
    """Return the signatures in the order in which they are run, short caches first; in parts where they take turns."""
    loads = {graph.signature: graph for graph in graphs if graph.signature}
    used = [name for name in model.signatures if not loads[name].idle]
    order = sorted(used, key=lambda name: (loads[name].cache_length or 0, -loads[name].ends_bytes))
    lengths = sorted({loads[name].cache_length or 0 for name in order}) if turns else []
    return [[name for name in order if (loads[name].cache_length or 0) == length] for length in lengths] or [order]


def _run(model: Model, graphs: tuple[GraphLoad, ...], names: list[str], last: list[int]) -> dict[str, list[int]]:
    """Run each signature twice; return what each added beside its caches."""
    loads = {graph.signature: graph for graph in graphs if graph.signature}
    caches: dict[tuple[str, int | None], Array] = {}
    found: dict[str, list[int]] = {}
    runs: list[Run] = []
    for name in names:
        signature, graph = model.signatures[name], loads[name]
        ends: list[dict[str, Array]] = [{}, {}]
        for before, after in graph.caches:
            key = before, graph.cache_length
            if key not in caches:
                caches[key] = model.buffer(signature.inputs[before])
                caches[key].fill(0)  # which takes all of its pages, as a cache that is full does
                last[0] += caches[key].nbytes
            ends[0][before] = ends[1][after] = caches[key]
        run = model.bind(name, *ends)
        for array in (*run.inputs.values(), *run.outputs.values()):
            if not any(array is cache for cache in caches.values()):
                array.fill(0)
        run()
        run()
        runs.append(run)
        now = _look()
        found[name] = [max(0, now[0] - last[0]), max(0, now[1] - last[1])]
        last = now
    return found


def _look() -> list[int]:
    """Return private and file-backed bytes; packed weights without a file lie in shared memory, and are private."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines())
    kilobytes = {name: int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem", "RssFile")}
    return [1024 * (kilobytes["RssAnon"] + kilobytes["RssShmem"]), 1024 * kilobytes["RssFile"]]


def _settled() -> list[int]:
    """Look after everything that was freed went back to the system."""
    trim()
    return _look()
