"""Which rounds there are, how large, and what of their counts must be 0."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import life, lossy, power, timing
from .rig import ROOT, Interpreter

__all__ = ["ROUNDS", "broken"]

_FUZZ = ROOT / "tests/firmware_bridge/wire/fuzz.py"
_LINES = 4  # at once, where a round waits more than it works
_BACK_S = 2.0

Round = Callable[[Interpreter, Path, bool, int], "dict[str, Any]"]


def _flip(interpreter: Interpreter, folder: Path, short: bool, seed: int) -> dict[str, Any]:
    frames = 100 if short else 10_000

    def line(which: int) -> dict[str, Any]:
        return lossy.flip(interpreter, folder / str(which), frames=frames // _LINES, seed=seed + which)

    with ThreadPoolExecutor(_LINES) as pool:
        return _sum(list(pool.map(line, range(_LINES))))


def _move(interpreter: Interpreter, folder: Path, short: bool, seed: int) -> dict[str, Any]:
    return lossy.move(interpreter, folder, moves=20 if short else 1000, seed=seed)


def _cut(interpreter: Interpreter, folder: Path, short: bool, seed: int) -> dict[str, Any]:
    return lossy.cut(interpreter, folder, every=3 if short else 1, seed=seed)


def _restart(interpreter: Interpreter, folder: Path, short: bool, seed: int) -> dict[str, Any]:
    return life.restart(interpreter, folder, times=3 if short else 50, seed=seed)


def _kill(interpreter: Interpreter, folder: Path, short: bool, seed: int) -> dict[str, Any]:
    return life.killed(interpreter, folder, times=1 if short else 10, seed=seed)


def _pause(interpreter: Interpreter, folder: Path, short: bool, seed: int) -> dict[str, Any]:
    return life.killed(interpreter, folder, times=1 if short else 10, seed=seed, how=signal.SIGSTOP)


def _load(interpreter: Interpreter, folder: Path, short: bool, seed: int) -> dict[str, Any]:
    return life.busy(interpreter, folder, seconds=2 if short else 30, seed=seed)


def _replug(interpreter: Interpreter, folder: Path, short: bool, seed: int) -> dict[str, Any]:
    return life.replug(interpreter, folder, times=3 if short else 50, seed=seed)


def _second(interpreter: Interpreter, folder: Path, _short: bool, seed: int) -> dict[str, Any]:
    return life.second(interpreter, folder, seed=seed)


def _clock(interpreter: Interpreter, folder: Path, short: bool, seed: int) -> dict[str, Any]:
    found = [
        timing.clock(interpreter, folder / str(ppm), seconds=3 if short else 60, seed=seed, ppm=ppm)
        for ppm in (200, -200)
    ]
    return {name: max(one[name] for one in found) for name in found[0]}


def _version(interpreter: Interpreter, folder: Path, _short: bool, _seed: int) -> dict[str, Any]:
    return life.versions(interpreter, folder)


def _update(interpreter: Interpreter, folder: Path, short: bool, seed: int) -> dict[str, Any]:
    return power.update(interpreter, folder, pieces=3 if short else 24, seed=seed)


def _fuzz(interpreter: Interpreter, _folder: Path, short: bool, seed: int) -> dict[str, Any]:
    inputs = 2_000 if short else 1_000_000
    here = subprocess.run(
        [sys.executable, str(_FUZZ), str(inputs), str(seed)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    there = interpreter.run(_FUZZ, str(inputs), str(seed), heap_kb=256, timeout_s=3600)
    one, other = json.loads(here.stdout), json.loads(there)
    return {"inputs": inputs, "heap_bytes": 256 * 1024, "differ": int(one != other), "counts": one["counts"]}


ROUNDS: Mapping[str, tuple[tuple[str, ...], Round]] = {
    "flip": (("wrong", "lost", "wedged"), _flip),
    "move": (("wrong", "failed", "unknown", "off_target", "wedged"), _move),
    "cut": ((), _cut),
    "restart": (("unnoticed", "positions_still_known", "wedged"), _restart),
    "kill": (("never_safe", "too_late", "still_moving"), _kill),
    "pause": (("never_safe", "too_late", "still_moving"), _pause),
    "load": (("wrong", "wedged"), _load),
    "replug": (("same_tty", "wedged"), _replug),
    "second": ((), _second),
    "clock": (("beyond_promise",), _clock),
    "version": (("misread",), _version),
    "update": (("wrong_boots",), _update),
    "fuzz": (("differ",), _fuzz),
}
"""By name: which of its counts must be 0, and what runs it, in short or at full size."""


def broken(rounds: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name what is not as it must be."""
    found = [
        f"{name}.{count}" for name, (zero, _) in ROUNDS.items() for count in zero if rounds.get(name, {}).get(count)
    ]
    if rounds.get("cut", {}).get("frames_until_in_step", 1) != 1:
        found.append("cut.frames_until_in_step")
    if rounds.get("replug", {}).get("back_s_most", 0) > _BACK_S:
        found.append("replug.back_s_most")
    second = rounds.get("second", {"refused": 1, "first_goes_on": 1})
    return found + [f"second.{name}" for name in ("refused", "first_goes_on") if not second[name]]


def _sum(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up what several lines counted; seconds are the longest."""
    total: dict[str, Any] = {}
    for name, first in found[0].items():
        values = [one[name] for one in found]
        if isinstance(first, dict):
            total[name] = dict(sum((Counter(value) for value in values), Counter()))
        else:
            total[name] = max(values) if name == "seconds" else sum(values)
    return total
