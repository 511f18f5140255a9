"""What one process measures in one turn. Each job gives plain numbers, and closes what it opened."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from edge_sdk.bench.limit import int8_macs_per_s, read_bandwidth_bytes_per_s
from edge_sdk.bench.meter import Meter
from edge_sdk.bench.sight import Sight, timed
from edge_sdk.bundle.inspection import cache_lengths
from edge_sdk.memory import DECODER, Loader, bundle_parts
from edge_sdk.memory.outline import outline_of
from edge_sdk.memory.peak import watch_peak
from edge_sdk.pipeline import VisionLanguageModel, load
from edge_sdk.pipeline.decoder import Decoder
from edge_sdk.pipeline.sampler import Sampler
from edge_sdk.runtime import WeightCache

__all__ = ["JOBS", "QUESTION", "Job"]

QUESTION = "How many cells are there?"
_ANSWER_TOKENS = 64
# A measure ends after this, however few tokens there were by then: weights that are streamed take seconds for each.
_MOST_S = 10.0
_LEAST_TOKENS = 2


@dataclass(frozen=True, slots=True)
class Job:
    """What a process is to do.

    Attributes
    ----------
    kind : str
        A key of `JOBS`.
    path : str
        The bundle's file.
    cache : str
        The folder of packed weights.
    engine, threads, budget
        As `load` takes them.
    camera : str
        Where frames come from; empty for none.
    short : bool
        Do little of everything.
    sets : tuple of int
        Working sets to read memory with, in bytes.
    """

    kind: str
    path: str
    cache: str
    engine: str
    threads: int
    budget: str | None = None
    camera: str = ""
    short: bool = False
    sets: tuple[int, ...] = ()

    def load(self) -> VisionLanguageModel:
        """Load the bundle as whoever uses it does."""
        cache = WeightCache(self.cache)
        return load(self.path, budget=self.budget, engine=self.engine, threads=self.threads, weight_cache=cache)

    @contextmanager
    def loader(self) -> Iterator[tuple[VisionLanguageModel, Loader]]:
        """Load it, and have what opens its sections besides."""
        with self.load() as model:
            find = bundle_parts(
                model.bundle,
                model.plan,
                engine=self.engine,
                threads=self.threads,
                weight_cache=WeightCache(self.cache),
            )
            with Loader(find) as loader:
                yield model, loader


def _load(job: Job) -> dict[str, float]:
    """Open everything that questions and frames need."""
    begin = time.perf_counter()
    with job.loader() as (model, loader):
        outline = outline_of(model.bundle, model.name)
        if outline.language:
            model.bundle.tokenizer()
            model.bundle.template()
        for name in outline.sections:
            if model.plan is None or any(each.name == name and each.mode != "refused" for each in model.plan.sections):
                with loader.acquire(name):
                    pass
        return {"load": time.perf_counter() - begin}


def _use(job: Job) -> dict[str, float]:
    """Ask and look as whoever uses it does."""
    begin = time.perf_counter()
    found: dict[str, float] = {}
    with job.load() as model:
        sight = Sight(model, short=job.short)
        if model.bundle.has(DECODER):
            sight.ask(QUESTION)
            found["first_answer"] = time.perf_counter() - begin
            found |= sight.first_tokens(QUESTION)
        found |= sight.looks()
        if job.camera and sight.sees:
            found |= sight.film(job.camera)
    return found


def _run(job: Job) -> dict[str, float]:
    """Run each signature of a plain model as it is."""
    found = {}
    with job.loader() as (_, loader), loader.acquire("tflite") as model:
        for name in model.signatures:
            run = model.bind(name)
            run()
            found[f"run@{name}"] = median(timed(run) for _ in range(3 if job.short else 15))
    return found


def _decode(job: Job) -> dict[str, float]:
    """Feed prompts of several lengths and decode from caches of several lengths, without what stands around."""
    found: dict[str, float] = {}
    with job.loader() as (model, loader):
        longest = model.plan.cache_length if model.plan else None
        lengths = [length for length in cache_lengths(model.bundle) if longest is None or length <= longest]
        words = model.bundle.tokenizer().vocab_size
        chance = random.Random(7)

        def prompt(count: int) -> list[int]:
            # Never the same twice: what was computed before is kept.
            return [chance.randrange(min(5, words - 1), words) for _ in range(count)]

        decoder = Decoder(model.bundle, loader.acquire, longest=longest)
        for count in (16,) if job.short else (32, 128, 512):
            if count < decoder.capacity:
                found[f"prefill@{count}"] = _prefill(decoder, prompt, count)
        with Meter() as meter:
            told = 0
            for shorter, length in zip([0, *lengths], lengths, strict=False):
                if shorter < decoder.capacity - _LEAST_TOKENS:
                    rate, count = _steps(decoder, prompt, shorter, length, meter, most=8 if job.short else 64)
                    found[f"decode@{length}"] = rate
                    told += count
        found |= meter.found(told)
        decoder.close()
    return found


def _prefill(decoder: Decoder, prompt: Callable[[int], list[int]], count: int) -> float:
    """Give tokens a second of the second prompt of a length; the first one touches all memory."""
    taken_s = 0.0
    for _ in range(2):
        decoder.reset()
        tokens = prompt(count)
        begin = time.perf_counter()
        decoder.feed(tokens)
        taken_s = time.perf_counter() - begin
        if taken_s > _MOST_S:
            break
    return count / taken_s


def _steps(
    decoder: Decoder, prompt: Callable[[int], list[int]], shorter: int, length: int, meter: Meter, *, most: int
) -> tuple[float, int]:
    """Give tokens a second in the cache of a length, greedy, and how many there were.

    A decoder moves on to it from the next shorter one once that is full.
    """
    sampler = Sampler()
    decoder.reset()
    decoder.feed(prompt(shorter or min(16, length // 4)))
    token = sampler.pick(decoder.step(*prompt(1)))  # moves on, where need be
    most = min(most, min(length, decoder.capacity) - decoder.position)
    done = 0
    with meter.running():
        begin = time.perf_counter()
        while done < most and (done < _LEAST_TOKENS or time.perf_counter() - begin < _MOST_S):
            token = sampler.pick(decoder.step(token))
            done += 1
        taken_s = time.perf_counter() - begin
    return done / taken_s, done


def _memory(job: Job) -> dict[str, float]:
    """Answer a question and look at a frame, and note the most memory that this process ever took."""
    with watch_peak() as peak:
        with job.load() as model:
            sight = Sight(model, short=True)
            if model.bundle.has(DECODER):
                sight.ask(QUESTION, most=8 if job.short else _ANSWER_TOKENS)
            sight.looks()
        if model.bundle.version is None and not sight.sees:
            _run(job)
    status = Path("/proc/self/status").read_text("ascii", "replace")
    # The kernel's own mark, of this program alone. Source: proc_pid_status(5).
    return {"peak_private": peak.private_bytes, "peak_total": int(status.split("VmHWM:")[1].split()[0]) * 1024}


def _limit(job: Job) -> dict[str, float]:
    """Measure what the machine could do at most."""
    tries = 3 if job.short else 7
    found = {f"read@{size}": read_bandwidth_bytes_per_s(job.threads, size, tries=tries) for size in job.sets}
    for rows in (1, 128):
        found[f"int8@{rows}"] = int8_macs_per_s(job.threads, rows, engine=job.engine, tries=tries)
    return found


JOBS: dict[str, Callable[[Job], dict[str, float]]] = {
    "load": _load,
    "use": _use,
    "run": _run,
    "decode": _decode,
    "memory": _memory,
    "limit": _limit,
}
