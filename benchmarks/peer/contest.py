"""A contest: every side once in each turn, each in a process of its own."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from peer import limit
from peer.material import Material
from peer.side import LIMIT, SIDES, Side
from peer.turn import Job

_LIMIT_S = 300.0


class Contest:
    """The sides of one shape, and what they have measured so far.

    Attributes
    ----------
    sides : dict
        Those that take part, by name; one that fails leaves.
    missing, failed : dict
        Those that do not, and why.
    runs : dict
        What each measured, turn by turn.
    same_choice : dict
        How often a side would choose the same token as ours, along the same tokens.
    read_bytes_per_s : list
        What memory gave in each turn.
    """

    def __init__(self, material: Material, threads: int, prompt: int, answer: int) -> None:
        self.kind = "smear" if material.shape == "smear" else "language"
        found = {side.name: (side, side.missing(material.file(side))) for side in SIDES[self.kind]}
        self.sides = {name: side for name, (side, why) in found.items() if not why}
        self.missing = {name: why for name, (_, why) in found.items() if why}
        self.failed: dict[str, str] = {}
        self.runs: dict[str, list[dict[str, Any]]] = {name: [] for name in self.sides}
        self.same_choice: dict[str, float] = {}
        self.read_bytes_per_s: list[float] = []
        self._material, self._threads, self._answer = material, threads, answer
        chance = random.Random(7)
        self._prompt = chance.choices(range(5, material.vocabulary), k=prompt) if material.vocabulary else []
        # The turn that is not counted goes along made-up tokens, the same for all, to compare what each would choose.
        self._forced = chance.choices(range(5, material.vocabulary), k=answer - 1) if material.vocabulary else []
        self._ours: list[int] = []
        for name, why in self.missing.items():
            self._tell(f"without {name}: {why}")

    def run(self, turns: int) -> None:
        """Run a turn that is not counted, then the others; each begins with another side."""
        with tempfile.TemporaryDirectory() as scratch:
            for number in range(turns + 1):
                names = list(self.sides)
                first = number % len(names) if number else 0
                for name in names[first:] + names[:first]:
                    self._take(number, turns, self.sides[name], Path(scratch, name))
                if number and self._material.config:
                    self._read_memory()

    def _take(self, number: int, turns: int, side: Side, cache: Path) -> None:
        cache.mkdir(exist_ok=True)
        file, forced = self._material.file(side), () if number else self._forced
        job = Job(file, cache, self._threads, self._answer, self._prompt, forced, self._material.pictures)
        found = turn(side, job)
        if "failed" in found:
            self._tell(f"{side.name} once more: {found['failed']}")
            found = turn(side, job)
        if "failed" in found:
            self.failed[side.name] = found["failed"]
            del self.sides[side.name], self.runs[side.name]
            self._tell(f"{side.name} failed: {found['failed']}")
            return
        if number:
            self.runs[side.name].append(found)
            self._tell(f"{number}/{turns} {side.name:14} " + _line(found))
        elif side.name == "ours":
            self._ours = found.get("choices", [])
        elif self._ours and (choices := found.get("choices")):
            same = sum(a == b for a, b in zip(choices, self._ours, strict=True))
            self.same_choice[side.name] = round(same / len(choices), 3)

    def _read_memory(self) -> None:
        weights = limit.weight_bytes(self._material.config, "ours")
        found = turn(LIMIT, Job(Path(), Path(), self._threads, weights))
        if "failed" in found:
            self._tell(f"memory's rate failed: {found['failed']}")
        else:
            self.read_bytes_per_s.append(found["read_bytes_per_s"])

    def _tell(self, text: str) -> None:
        print(f"{self._material.shape}: {text}", flush=True)


def turn(side: Side, job: Job) -> dict[str, Any]:
    """Run one turn in a process of its own; what goes wrong is told under ``failed``."""
    told = json.dumps(job._asdict(), default=str)
    command = [sys.executable, "-m", "peer.worker", side.run, told]
    folder = Path(__file__).resolve().parents[1]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S, cwd=folder)
    except subprocess.TimeoutExpired:
        return {"failed": f"It took longer than {_LIMIT_S:.0f} s."}
    if ended.returncode or not ended.stdout:
        lines = ended.stderr.strip().splitlines() or ["no message"]
        return {"failed": f"It ended with {ended.returncode}: {lines[-1][:300]}"}
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def _line(found: dict[str, Any]) -> str:
    return "  ".join(f"{key} {value:.4g}" for key, value in found.items() if not isinstance(value, str))
