"""One turn of one side: what it is given, and a watch that reads clock and memory at the moments that matter."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Job(NamedTuple):  # a dataclass would bring half a megabyte of the standard library into every side
    """What a side is given.

    Attributes
    ----------
    file : Path
        The bundle, or whatever file the side reads.
    cache : Path
        A folder that is the side's own and lives as long as the run.
    threads, answer : int
        Threads to use, and tokens to decode.
    prompt : sequence of int
        The prompt; for smear, nothing.
    forced : sequence of int
        Tokens to go on with instead of the side's own choice, so that choices can be compared one by one; nothing is
        timed then.
    pictures : sequence of Path
        For smear: the pictures to ask about, in turns.
    """

    file: Path
    cache: Path
    threads: int
    answer: int
    prompt: Sequence[int] = ()
    forced: Sequence[int] = ()
    pictures: Sequence[Path] = ()


class Watch:
    """Keeps what a turn measures."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self._mark_s = 0.0
        self._private_bytes = 0

    def start(self) -> None:
        """Begin to time the next step."""
        self._mark_s = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since `start` or the last lap; memory is read in between, and not timed."""
        took_s = time.perf_counter() - self._mark_s
        self._private_bytes = max(self._private_bytes, private_bytes())
        self._mark_s = time.perf_counter()
        return took_s

    def decode(self, job: Job, token: int, step: Callable[[int], Any]) -> None:
        """Time the tokens after the first one.

        Parameters
        ----------
        token : int
            The first token of the answer, which is there already.
        step : function
            Takes a token and returns the scores of what may follow it, ``(V,) float32``.
        """
        if job.forced:
            self.found["choices"] = [runner_up(step(token), token) for token in job.forced]
            return
        self.start()
        for _ in range(job.answer - 1):
            token = int(step(token).argmax())
        self.found["decode_tokens_per_s"] = (job.answer - 1) / self.lap()

    def answer_times(self, load_s: float, prefill_s: float, prompt: int, question_s: float) -> None:
        """Keep what there is to say once the first token is there."""
        self.found |= {
            "load_s": load_s,
            "question_s": question_s,
            "open_s": load_s + question_s,
            "prefill_tokens_per_s": prompt / prefill_s,
        }

    def finish(self) -> dict[str, Any]:
        """Return everything, with the memory that was taken at most.

        The kernel keeps the peak of all resident pages; that of private ones is the most seen at any lap.
        """
        self._private_bytes = max(self._private_bytes, private_bytes())
        self.found["peak_rss_bytes"] = _status()["VmHWM"]
        self.found["private_bytes"] = self._private_bytes
        # Pages that others have mapped too count in shares here: what sharing of files leaves of the peak.
        rollup = _fields(Path("/proc/self/smaps_rollup"))
        self.found["pss_bytes"] = rollup.get("Pss", 0)
        return self.found


def runner_up(scores: Any, token: int) -> int:
    """Return the likeliest token but the one just given, which models of random weights say again and again."""
    scores = scores.copy()
    scores[token] = -float("inf")
    return int(scores.argmax())


def private_bytes() -> int:
    """Return what no other process can share and no file can give back: anonymous and shared-memory pages."""
    status = _status()
    return status["RssAnon"] + status["RssShmem"]


def _status() -> dict[str, int]:
    return _fields(Path("/proc/self/status"))


def _fields(path: Path) -> dict[str, int]:
    """Read lines such as ``VmHWM:  1234 kB``, in bytes. Source: proc_pid_status(5), proc_pid_smaps(5)."""
    pairs = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in pairs if words[-1] == "kB" and len(words) == 3}
