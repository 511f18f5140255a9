"""Show that a camera keeps its rate while frames are counted, and that a question does not stop it.

    python benchmarks/camera.py --json OUT [--threads 2] [--seconds 20] [--rounds 3] [--short]
    python benchmarks/camera.py --json OUT --camera /dev/video0

Without an address the camera is a film: 90 frames of `sim://smear` rendered beforehand and handed over at 30 a second,
each copied as a driver copies it, so that the simulated microscope takes none of the processor. In turns: `count` on
every newest frame; the same while another thread asks one question a second about the newest frame; `watch` on the
same film; and `watch` on one that stands still but for the sensor's noise, where the gate spares the encoder.

A latency runs from the moment that a frame was there to its count. JSON, for each of the four: `{"given", "seen",
"dropped", "frames_per_s", "latency_ms": {"median", "p99", "most"}, "p99_to_median", "kept", "cpu_share"}`; `cpu_share`
is processor time by the clock, of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

import edge_sdk as edge
from edge_sdk.pipeline import Count, VisionLanguageModel
from edge_sdk.sources import Camera, Options
from edge_sdk.sources.sim import SimSource

RATE_HZ, FRAMES = 30.0, 90
QUESTION = "How many white blood cells are there?"
# What the project promises of `count`: no frame lost but by the clock's own unrest, and p99 at most.
BARS = {"frames_per_s": 29.7, "p99_to_median": 2.0}


class Film:
    """Frames that were rendered beforehand, handed over at the rate of a camera."""

    live = True
    interval_s = 0.0

    def __init__(self, *, still: bool) -> None:
        self.name = "film"
        self._stop = threading.Event()
        self._frames = _still_frames() if still else _moving_frames()
        self._begun_s = time.monotonic()

    def read(self, sequence: int) -> edge.Frame | None:
        """Give the next frame when it is due."""
        self._stop.wait(max(0.0, self._begun_s + sequence / RATE_HZ - time.monotonic()))
        return edge.Frame(self._frames[sequence % FRAMES].copy(), time.monotonic(), sequence, self.name)

    def reopen(self) -> None:
        """Do nothing: a film does not come unplugged."""

    def interrupt(self) -> None:
        """End the waiting."""
        self._stop.set()

    close = interrupt


def _moving_frames() -> list[Any]:
    source = SimSource("smear", Options({"seed": 1}, "sim://smear"))
    return [frame.pixels for number in range(FRAMES) if (frame := source.read(number)) is not None]


def _still_frames() -> list[Any]:
    scene, random = _moving_frames()[0], np.random.default_rng(1)
    noise = random.normal(0, 2.0, (FRAMES, *scene.shape)).astype(np.float16)
    return [np.clip(np.rint(scene + more), 0, 255).astype(np.uint8) for more in noise]


@contextmanager
def questions(model: VisionLanguageModel, newest: list[edge.Frame], first_ms: list[float]) -> Iterator[None]:
    """Ask about the newest frame once a second, in a thread of its own."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(1.0):
            if newest:
                begin = time.perf_counter()
                next(answer := model.ask(QUESTION, newest[-1]))
                first_ms.append((time.perf_counter() - begin) * 1000)
                assert answer.text

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def counts(model: VisionLanguageModel, camera: Camera, newest: list[edge.Frame]) -> Iterator[tuple[Count, edge.Frame]]:
    """Count every newest frame, as a script does."""
    for frame in camera:
        count = model.count(frame)
        newest[:] = [frame]
        yield count, frame


def follow(counted: Iterable[Count], seconds: float) -> dict[str, Any]:
    """Take counts for some time; tell of their latencies, and of the frames that were lost."""
    latencies, kept, first = [], 0, None
    begin_s = last_s = time.monotonic()
    cpu_s = time.process_time()
    for count in counted:
        last_s = time.monotonic()
        latencies.append((last_s - count.seen.time_s) * 1000)
        kept += count.seen.kept
        first = count.sequence if first is None else first
        if last_s - begin_s >= seconds:
            break
    span_s = last_s - begin_s
    assert first is not None
    given = count.sequence - first + 1
    return {
        "given": given,
        "seen": len(latencies),
        "dropped": given - len(latencies),  # not the camera's own count: it may have dropped one before, or one since
        "kept": kept,
        "seconds": span_s,
        "cpu_s": time.process_time() - cpu_s,
        "latencies": latencies,
    }


def measure(address: str | None, seconds: float, rounds: int, threads: int) -> dict[str, Any]:
    """Run all four in turns."""
    found: dict[str, list[dict[str, Any]]] = {}
    first_ms: list[float] = []
    moving = (lambda: edge.open_camera(address)) if address else (lambda: Camera(Film(still=False)))
    still = moving if address else (lambda: Camera(Film(still=True)))
    with edge.load("smear", threads=threads) as model:
        newest: list[edge.Frame] = []
        plain: Callable[[Camera], Iterable[Count]] = lambda camera: (c for c, _ in counts(model, camera, newest))  # noqa: E731
        ways: dict[str, tuple[Callable[[], Camera], Callable[[Camera], Iterable[Count]], bool]] = {
            "count": (moving, plain, False),
            "count_and_questions": (moving, plain, True),
            "watch": (moving, model.watch, False),
            "watch_still": (still, model.watch, False),
        }
        for number in range(rounds):
            for name, (open_camera, take, ask) in ways.items():
                with open_camera() as camera:
                    model.count(camera.capture())
                    assert model.ask(QUESTION, camera.capture()).text
                    asking: AbstractContextManager[None] = questions(model, newest, first_ms) if ask else nullcontext()
                    with asking:
                        found.setdefault(name, []).append(follow(take(camera), seconds / rounds))
                print(f"{number + 1}/{rounds} {name}: {_summary(found[name][-1:])}")
    result: dict[str, Any] = {name: _summary(parts) for name, parts in found.items()}
    result["first_word_ms"] = _latency(first_ms)
    return result | {"bars": BARS, "threads": threads, "camera": address or "film of sim://smear, 640x480, 30 a second"}


def _summary(parts: list[dict[str, Any]]) -> dict[str, Any]:
    total = {key: sum(part[key] for part in parts) for key in ("given", "seen", "dropped", "kept", "seconds", "cpu_s")}
    latency = _latency([value for part in parts for value in part["latencies"]])
    return {
        **{key: total[key] for key in ("given", "seen", "dropped", "kept")},
        "frames_per_s": round(total["seen"] / total["seconds"], 2),
        "latency_ms": latency,
        "p99_to_median": round(latency["p99"] / latency["median"], 3),
        "cpu_share": round(total["cpu_s"] / total["seconds"], 3),
    }


def _latency(values: list[float]) -> dict[str, float]:
    shares = {"median": 50.0, "p99": 99.0, "most": 100.0}
    return {name: round(float(np.percentile(values, share)), 2) for name, share in shares.items()} if values else {}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--camera", help="an address of a camera, in place of the film")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the four, over all rounds")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--short", action="store_true", help="one round of a second, to see that it runs")
    options = parser.parse_args()
    seconds, rounds = (1.2, 1) if options.short else (options.seconds, options.rounds)
    result = measure(options.camera, seconds, rounds, options.threads)
    options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
