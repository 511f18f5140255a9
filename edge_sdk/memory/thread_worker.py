"""What `edge_sdk.memory.thread_choice` runs in a process of its own: steps of a language model, by number of threads.

It writes one line of JSON to its standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from edge_sdk.runtime import Model, Run, WeightCache, open_model

__all__ = ["main"]

_LEAST_RUNS, _MOST_RUNS, _ENOUGH_S = 3, 12, 0.2


def main() -> None:
    """Measure what the job on the command line names."""
    job = json.loads(sys.argv[3])
    path, offset, size = job["place"]
    found = {}
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)  # whatever a library prints is none of the figures
        for count in job["counts"]:
            cache = WeightCache(job["cache"])
            with open_model(
                path, offset=offset, size=size, engine="litert", threads=count, weight_cache=cache
            ) as model:
                found[count] = _step_s(_bind(model))
        json.dump(found, output)


def _bind(model: Model) -> Run:
    """Bind the step of the shortest caches, which are updated in place."""
    steps = [item for name, item in model.signatures.items() if "decode" in name and "logits" in item.outputs]
    signature = min(steps, key=lambda item: sum(spec.size_bytes for spec in item.inputs.values()))
    caches = {name: model.buffer(spec) for name, spec in signature.inputs.items() if name in signature.outputs}
    return model.bind(signature.name, inputs=caches, outputs=caches)


def _step_s(run: Run) -> tuple[float, float]:
    """Return the least that a run took, what disturbed one says nothing of the next; and how much of it was waiting."""
    run()
    times: list[float] = []
    waited = _waited_s()
    while len(times) < _LEAST_RUNS or (sum(times) < _ENOUGH_S and len(times) < _MOST_RUNS):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times), (_waited_s() - waited) / sum(times)


def _waited_s() -> float:
    """Return how long this process's threads had work and no processor; 0 where the kernel does not tell.

    Source: Documentation/scheduler/sched-stats.rst of Linux.
    """
    waited_ns = 0
    for file in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):
            waited_ns += int(file.read_text("ascii").split()[1])
    return waited_ns / 1e9
