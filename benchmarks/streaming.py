"""Compare ways to read weights that do not fit into memory, in turns, each in a process of its own.

    python benchmarks/make_bundles.py 135m
    python benchmarks/streaming.py --bundle build/bundles/135m.litertlm --json OUT [--share 0.5] [--read-rate 40MB]

Each process is in a control group of its own (v1 or v2; needs the right to make one), whose limit is the private memory
that the bundle takes here, what the process uses besides, and a share of the packed weights. Before each run the
bundle and the weights are dropped from the page cache: pages are charged to the group that reads them first. A run
loads, feeds 96 tokens and decodes, greedy; two tokens are not timed. `--read-rate` has the kernel hand out no more than
that in a second (needs v1), as a card does.

plain: nothing is done. sequential: advice for the whole mapping (the advice "random" makes every page a read of its
own: tokens take ten seconds). locked: three quarters of what there is room for, from the beginning, are
locked in memory (all of it, and the process is killed). streamed: what
the SDK does (edge_sdk/memory/stream.py).

JSON: `{"skipped", "bundle", "limit_bytes", "room_bytes", "weights_bytes", "read_bytes_per_s", "threads", "tokens",
"turns", "without_limit_tokens_per_s", "failed", "sides": {side: {"tokens_per_s", "read_bytes_per_token",
"faults_per_token"}}, "ratio": {side: ...}, "same_answer"}`, each measure with its median, least and most over the
turns. A ratio is to plain of the same turn; the median of those.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from control_group import drop_pages, group, may_limit

ROOT = Path(__file__).resolve().parents[1]
SIDES = ("plain", "sequential", "locked", "streamed")
PROMPT, WARM = 97, 2
# What a process in a group takes besides its private memory and the weights: the kernel's own for it, and pages of the
# bundle. Looked at: 5 to 6 MB.
USED_BYTES = 7_000_000


def decode(bundle: Path, cache: Path, threads: int, tokens: int, prepare: Callable[[Any], object]) -> dict[str, Any]:
    """Decode in this process, with something done to the model before."""
    from edge_sdk.bundle import open_bundle
    from edge_sdk.memory import DECODER, private_bytes
    from edge_sdk.pipeline.decoder import Decoder
    from edge_sdk.pipeline.sampler import Sampler
    from edge_sdk.runtime import WeightCache, open_model

    with open_bundle(bundle) as opened:
        section = opened.section(DECODER)
        settings: dict[str, Any] = {"offset": section.offset, "size": section.size, "threads": threads}
        with open_model(bundle, **settings, weight_cache=WeightCache(cache)) as model:
            done = prepare(model)
            decoder, sampler = Decoder(opened, lambda *_: nullcontext(model)), Sampler()
            *prompt, token = random.Random(7).choices(range(5, 250), k=PROMPT)
            decoder.feed(prompt)
            answer = []
            for index in range(WARM + tokens):
                if index == WARM:
                    read, faults, begin = _read_bytes(), _faults(), time.perf_counter()
                token = sampler.pick(decoder.step(token))
                answer.append(token)
            seconds = time.perf_counter() - begin
            return {
                "tokens_per_s": tokens / seconds,
                "read_bytes_per_token": (_read_bytes() - read) / tokens,
                "faults_per_token": (_faults() - faults) / tokens,
                "private_bytes": private_bytes(),
                "weights_bytes": model.weights.stat().st_size if model.weights else 0,
                "answer": answer,
                "done": repr(done),
            }


def side_of(name: str, room_bytes: int) -> Callable[[Any], object]:
    """Give what a side does to a model that was just opened."""
    from edge_sdk.memory.mapping import find_mapping
    from edge_sdk.memory.stream import open_stream

    libc = ctypes.CDLL(None, use_errno=True)

    def sequential(model: Any) -> int:
        place = find_mapping(model.weights)
        assert place is not None
        size = ctypes.c_size_t(place.size_bytes)
        return int(libc.madvise(ctypes.c_void_p(place.address), size, mmap.MADV_SEQUENTIAL))

    def lock(model: Any) -> int:
        place = find_mapping(model.weights)
        assert place is not None
        return int(libc.mlock(ctypes.c_void_p(place.address), ctypes.c_size_t(room_bytes * 3 // 4)))

    return {
        "plain": lambda _: None,
        "sequential": sequential,
        "locked": lock,
        "streamed": lambda model: open_stream(model, room_bytes),
    }[name]


def _read_bytes() -> int:
    return int(Path("/proc/self/io").read_text().split("\nread_bytes: ")[1].split()[0])


def _faults() -> int:
    """Return how often a page had to be waited for. Source: proc_pid_stat(5), majflt."""
    return int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[9])


@contextmanager
def slow_disk(bytes_per_s: int, file: Path) -> Iterator[list[str]]:
    """Give the beginning of a command that reads no faster than this from the disk that a file is on."""
    if not bytes_per_s:
        yield []
        return
    folder = Path(f"/sys/fs/cgroup/blkio/edge-benchmark-{os.getpid()}")
    folder.mkdir()
    try:
        disk = file.stat().st_dev
        limit = f"{os.major(disk)}:{os.minor(disk)} {bytes_per_s}"
        (folder / "blkio.throttle.read_bps_device").write_text(limit)
        yield ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(folder / "cgroup.procs")]
    finally:
        folder.rmdir()


def turn(side: str, asked: argparse.Namespace, cache: Path, limit_bytes: int, room_bytes: int) -> dict[str, Any]:
    """Run one side in a process of its own; without a limit where that is 0."""
    where = ["--bundle", str(asked.bundle), "--cache", str(cache), "--threads", str(asked.threads)]
    worker = [sys.executable, __file__, *where, "--worker", side, "--room", str(room_bytes)]
    worker += ["--tokens", str(asked.tokens)]
    drop_pages(asked.bundle, cache)
    with slow_disk(asked.read_rate if limit_bytes else 0, cache) as slowed:
        if limit_bytes:
            with group(limit_bytes // 1_000_000) as made:
                ended = subprocess.run(made.command([*slowed, *worker]), capture_output=True, text=True, check=False)
        else:
            ended = subprocess.run(worker, capture_output=True, text=True, check=False)
    if ended.returncode or not ended.stdout:
        return {"failed": (ended.stderr.strip().splitlines() or [f"ended with {ended.returncode}"])[-1]}
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def compare(asked: argparse.Namespace) -> dict[str, Any]:
    """Run all turns and put them together."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:  # on a disk: /tmp may be memory itself
        cache = Path(scratch)
        turn("plain", asked, cache, 0, 0)  # packs the weights
        free = turn("plain", asked, cache, 0, 0)
        if not free["weights_bytes"]:
            return {"skipped": [f"the weights of {asked.bundle.name} are too few to be kept in a file"]}
        room = int(asked.share * free["weights_bytes"])
        limit = free["private_bytes"] + USED_BYTES + room
        found: dict[str, list[dict[str, Any]]] = {side: [] for side in asked.sides}
        for number in range(asked.turns):
            for side in asked.sides:
                run = turn(side, asked, cache, limit, room)
                found[side].append(run)
                told = {key: value for key, value in run.items() if key != "answer"}
                print(f"{number + 1}/{asked.turns} {side:10} {told}", flush=True)
    ran = {side: runs for side, runs in found.items() if not any("failed" in run for run in runs)}
    measures = ("tokens_per_s", "read_bytes_per_token", "faults_per_token")
    return {
        "skipped": [],
        "bundle": asked.bundle.stem,
        "limit_bytes": limit,
        "room_bytes": room,
        "weights_bytes": free["weights_bytes"],
        "read_bytes_per_s": asked.read_rate or None,
        "threads": asked.threads,
        "tokens": asked.tokens,
        "turns": asked.turns,
        "without_limit_tokens_per_s": free["tokens_per_s"],
        "failed": {side: runs[0].get("failed") for side, runs in found.items() if side not in ran},
        "sides": {side: {key: _summary(runs, key) for key in measures} for side, runs in ran.items()},
        "ratio": _ratios(ran),
        "same_answer": all(run["answer"] == free["answer"] for runs in ran.values() for run in runs),
    }


def _ratios(ran: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Give how much faster each side decodes than the plain one, which ran in the same turn."""
    plain = [run["tokens_per_s"] for run in ran.get("plain", [])]
    return {
        side: round(median(run["tokens_per_s"] / base for run, base in zip(runs, plain, strict=True)), 3)
        for side, runs in ran.items()
        if plain
    }


def _summary(runs: list[dict[str, Any]], key: str) -> dict[str, float]:
    values = [run[key] for run in runs]
    return {name: float(f"{pick(values):.4g}") for name, pick in (("median", median), ("least", min), ("most", max))}


def _bytes(said: str) -> int:
    from edge_sdk.units import parse_bytes

    return parse_bytes(said)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the weights that fits")
    parser.add_argument("--read-rate", type=_bytes, default=0, help="of the disk in a second")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=min(4, len(os.sched_getaffinity(0))))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--short", action="store_true", help="one turn of four tokens, to see that it runs")
    for hidden, kind in (("--worker", str), ("--cache", Path), ("--room", int)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        prepare = side_of(asked.worker, asked.room)
        print(json.dumps(decode(asked.bundle, asked.cache, asked.threads, asked.tokens, prepare)))
        return
    if asked.short:
        asked.turns, asked.tokens, asked.sides = 1, 4, ["plain", "streamed"]
    why = may_limit()
    result: dict[str, Any] = {"skipped": [why]} if why else compare(asked)
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result.get("ratio", result)))


if __name__ == "__main__":
    main()
