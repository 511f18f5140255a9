"""How many threads a language model gets: measured once for a bundle on a processor, and remembered.

More threads than strong cores hold each other up, and so do several where the weights are few. What is best is found
by a few steps with each number, in a process of its own. That takes a second or two: it is done when the weights of a
bundle are packed for the first time, which takes several, or when asked for.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from boards.processor import this_processor
from boards.topology import big_processors
from edge_sdk.bundle import Bundle
from edge_sdk.errors import EdgeError
from edge_sdk.memory.record import record_file, write_record
from edge_sdk.memory.section import DECODER
from edge_sdk.runtime import WeightCache, is_packed, pack_weights
from edge_sdk.runtime.litert_library import library_path
from edge_sdk.worker import worker_command

__all__ = ["ThreadChoice", "choose_threads", "measure_threads", "remembered_threads"]

logger = logging.getLogger(__name__)
_LIMIT_S = 120.0
_MOST = 64
# More threads have to save this share of a step, or the cores are left to the camera.
_WORTH = 0.05
# Threads that waited for a processor for more than this share of the time were held up by other programs.
_CALM = 0.15


@dataclass(frozen=True, slots=True)
class ThreadChoice:
    """What a step of a language model takes with several numbers of threads.

    Attributes
    ----------
    steps_s : mapping
        Seconds by number of threads.
    """

    steps_s: Mapping[int, float]

    @property
    def threads(self) -> int:
        """The fewest threads that are next to as fast as the fastest.

        Examples
        --------
        >>> ThreadChoice({1: 0.014, 2: 0.0079, 4: 0.0077}).threads
        2
        """
        most = min(self.steps_s.values()) * (1 + _WORTH)
        return min(count for count, step_s in self.steps_s.items() if step_s <= most)

    def __str__(self) -> str:
        return ", ".join(f"{1000 * step_s:.3g} ms a token with {count}" for count, step_s in self.steps_s.items())


def choose_threads(bundle: Bundle, engine: str, weight_cache: WeightCache | None) -> int | None:
    """Return how many threads a bundle's language model gets; None where that was not measured.

    Where its weights are not packed yet they are now, and it is measured.
    """
    if weight_cache is None or engine == "interpreter":
        return None
    found = remembered_threads(bundle, weight_cache)
    try:
        if found is None and _unpacked(bundle, weight_cache):
            section = bundle.section(DECODER)
            pack_weights(bundle.path, section.offset, section.size, len(big_processors()), weight_cache)
            found = measure_threads(bundle, weight_cache)
    except EdgeError as error:  # whoever opens it will be told, or finds that another engine does
        logger.info("How many threads are best is not known: %s", error)
    return found.threads if found else None


def remembered_threads(bundle: Bundle, weight_cache: WeightCache | None) -> ThreadChoice | None:
    """Return what was measured before of a bundle on this processor; else None."""
    if weight_cache is None:
        return None
    with suppress(EdgeError, OSError, ValueError, TypeError, AttributeError, RecursionError):
        return _read(json.loads(_file(bundle, weight_cache).read_bytes()))
    return None


def measure_threads(bundle: Bundle, weight_cache: WeightCache) -> ThreadChoice | None:
    """Run a few steps with one, two, four threads and as many as there are strong cores, and remember what they took.

    None where no steps could be run, and whatever is wrong is told where the model is opened; or where other programs
    were busy meanwhile: what is best beside them is not best without.
    """
    section, most = bundle.section(DECODER), len(big_processors())
    counts = sorted({count for count in (1, 2, 4, min(most, 4)) if count <= most})
    job = {
        "place": [str(bundle.path), section.offset, section.size],
        "counts": counts,
        "cache": str(weight_cache.folder),
    }
    command = worker_command("edge_sdk.memory.thread_worker", json.dumps(job))
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S, check=False)
        told = json.loads(ended.stdout)
        found = _read({count: step_s for count, (step_s, _) in told.items()})
        if any(waited > _CALM for _, waited in told.values()):
            logger.info("Other programs are busy; how many threads are best for %s is not known.", bundle.path)
            return None
    except (subprocess.TimeoutExpired, ValueError, TypeError, AttributeError) as error:
        logger.info("How many threads are best for %s is not known: %s", bundle.path, error)
        return None
    write_record(_file(bundle, weight_cache), {str(count): step_s for count, step_s in found.steps_s.items()})
    logger.info("%s: %s.", bundle.path, found)
    return found


def _unpacked(bundle: Bundle, weight_cache: WeightCache) -> bool:
    if not bundle.has(DECODER):
        return False
    section = bundle.section(DECODER)
    return not is_packed(bundle.path, section.offset, section.size, weight_cache)


def _file(bundle: Bundle, weight_cache: WeightCache) -> Path:
    cores = f"{this_processor().name}, {len(os.sched_getaffinity(0))} of them"
    library = library_path().stat()  # its version by name would take 2 MB and 10 ms, at every start
    return record_file(weight_cache, bundle, f"threads, {cores}, {library.st_size} {library.st_mtime_ns}")


def _read(data: Mapping[str, object]) -> ThreadChoice:
    """Make a choice of its JSON."""
    steps: dict[int, float] = {}
    for count, step_s in data.items():
        if not isinstance(step_s, float) or not 0 < step_s < _LIMIT_S or not 0 < int(count) <= _MOST:
            raise ValueError(f"{step_s!r} is no time.")
        steps[int(count)] = step_s
    if not steps:
        raise ValueError("There is no time.")
    return ThreadChoice(MappingProxyType(steps))
