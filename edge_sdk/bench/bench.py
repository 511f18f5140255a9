"""Measure a bundle in turns, each job of a turn in a process of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import boards
from boards.telemetry import EnergyMeter, Telemetry, read_memory
from edge_sdk import __version__
from edge_sdk.bench.cold import drop_pages
from edge_sdk.bench.job import Job
from edge_sdk.bench.process import do_job
from edge_sdk.bench.report import Condition, Report, Subject
from edge_sdk.bench.sight import takes_frames
from edge_sdk.bench.tally import limits_of, measures_of, read_name
from edge_sdk.bench.work import work_of
from edge_sdk.bundle import Bundle, open_bundle, sha256
from edge_sdk.errors import EdgeError
from edge_sdk.memory import best_variant, check_settings, engine_threads
from edge_sdk.memory.outline import outline_of
from edge_sdk.memory.thread_choice import remembered_threads
from edge_sdk.runtime import WeightCache
from edge_sdk.units import format_bytes, parse_bytes

__all__ = ["TURNS", "Bench", "run"]

TURNS = 7
_COLD_TURNS = 3  # each writes the packed weights anew, which wears a card
_TITLES = {
    "load": "load, warm",
    "use": "questions and frames",
    "run": "bare runs",
    "decode": "prefill and decode",
    "memory": "memory",
    "limit": "what the machine could do",
}


_SCRATCH = "edge-bench-"
_COLD = (
    "Cold is a process that has just started and an empty weight cache. {kept} Python and the engine's library were in "
    "the kernel's memory."
)
_DROPPED = "The bundle was read from its disk."
_NONE_PACKED = "No packed weights are kept: the models are small, or the disk has no room (edge doctor says so)."


class Bench:
    """A benchmark of one bundle: go through `steps` to run it, and take `report` whenever it is wanted.

    Parameters
    ----------
    bundle : str or path
        A name or a file, as `edge_sdk.load` takes it.
    turns : int
        How often all of it is measured; a cold load three times at the most.
    engine, threads, budget
        As `edge_sdk.load` takes them; threads by default what was measured to be best, or else the strong cores.
    camera : str
        Where frames come from while it is measured how many a second are looked at; not measured without.
    short : bool
        One turn, and little of everything: to see that it runs.
    do : function
        Does a job in a process of its own, and gives what that found.

    Raises
    ------
    BundleError
        There is no such bundle, it is damaged, or it has no model that this SDK runs.
    EdgeError
        A setting makes no sense.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str],
        *,
        turns: int = TURNS,
        engine: str = "auto",
        threads: int | None = None,
        budget: str | None = None,
        camera: str = "",
        short: bool = False,
        do: Callable[[Job], dict[str, float]] = do_job,
    ) -> None:
        check_settings(engine, threads, "all")
        if turns < 1:
            raise EdgeError(f"{turns} turns cannot be measured.", fix="Ask for at least one.")
        self._turns, self._do = 1 if short else turns, do
        path = best_variant(bundle)
        budget = budget or os.environ.get("EDGE_BUDGET") or None
        if budget is not None:
            parse_bytes(budget)
        with open_bundle(path) as opened:
            threads = threads or _best_threads(opened)
            outline = outline_of(opened, opened.card.name if opened.card else path.stem)
            self._work = work_of(opened)
            self._kinds = _kinds(plain=opened.version is None, speaks=bool(outline.language))
            sees = takes_frames(opened)
        # Sizes that are told alike are read once.
        self._sets = self._fitting(
            sorted({read_name(size): size for size in self._work.decode_bytes.values()}.values())
        )
        self._job = Job("", str(path), "", engine, threads, budget, camera, short, self._sets)
        board = boards.detect()
        self._subject = Subject(
            outline.bundle, "", board.profile.id, board.processor.name, engine, threads, budget or "", camera
        )
        self._found: dict[str, list[float]] = defaultdict(list)
        self._telemetry = Telemetry()
        self._before = self._after = self._condition()
        self._notes = tuple(self._first_notes(sees))
        self._kept = self._packed = ""

    @property
    def count(self) -> int:
        """How many steps there are."""
        return min(self._turns, _COLD_TURNS) + self._turns * len(self._kinds)

    @property
    def subject(self) -> Subject:
        """What is measured on what; the first time all of the bundle is read for it."""
        if not self._subject.sha256:
            self._subject = replace(self._subject, sha256=sha256(Path(self._job.path)))
        return self._subject

    @property
    def report(self) -> Report:
        """What was found so far."""
        return Report(
            version=__version__,
            subject=self.subject,
            short=self._job.short,
            measures=measures_of(self._found, self._work),
            limits=limits_of(self._found),
            before=self._before,
            after=self._after,
            notes=(*self._notes, *([_COLD.format(kept=self._kept or _DROPPED), self._packed] if self._packed else [])),
        )

    def steps(self) -> Generator[str, None, None]:
        """Measure; yields what comes next before each step. Nothing is left behind, however it ends.

        Raises
        ------
        EdgeError
            The bundle, or the camera, does not do what it should.
        """
        place = _place()
        _sweep(place)
        scratch = place / f"{_SCRATCH}{os.getpid()}-{time.monotonic_ns()}"
        try:
            scratch.mkdir()
            yield from self._turn_by_turn(scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _turn_by_turn(self, scratch: Path) -> Iterator[str]:
        cold = min(self._turns, _COLD_TURNS)
        for turn in range(cold):
            yield f"load, cold {turn + 1}/{cold}"
            self._load_cold(scratch / f"cold-{turn}")
        for turn in range(self._turns):
            for kind in self._kinds:
                yield f"{_TITLES[kind]} {turn + 1}/{self._turns}"
                # The packed weights that the first cold load wrote.
                self._add(self._do(replace(self._job, kind=kind, cache=str(scratch / "cold-0"))), kind)
            self._look()

    def _load_cold(self, cache: Path) -> None:
        """Load from an empty weight cache and, where that can be had, from the disk."""
        self._kept = self._kept or drop_pages(Path(self._job.path)) or ""
        self._add({"load": self._do(replace(self._job, kind="load", cache=str(cache)))["load"]}, "cold")
        files = list(cache.iterdir()) if cache.is_dir() else []
        packed = sum(file.stat().st_size for file in files if file.suffix == ".weights")
        self._packed = f"Packed weights take {format_bytes(packed)} of the disk." if packed else _NONE_PACKED
        if cache.name != "cold-0":  # the turns use the first one's
            for file in files:
                file.unlink()

    def _add(self, found: dict[str, float], kind: str) -> None:
        for name, value in found.items():
            if name == "load":
                name = "load_cold" if kind == "cold" else "load_warm"
            elif name == "process_start" and kind != "load":
                continue  # one for each turn
            elif name.startswith("read@"):
                name = read_name(int(name.partition("@")[2]))
            if value > 0:
                self._found[name].append(value)

    def _fitting(self, sets: list[int]) -> tuple[int, ...]:
        """Leave out working sets that there is no room for."""
        room = (read_memory().available_bytes or 0) // 2
        return tuple(size for size in sets if size <= room)

    def _first_notes(self, sees: bool) -> Iterator[str]:
        if self._job.short:
            yield "One short turn: it shows that all of it runs, and tells no speeds."
        read = {read_name(size) for size in self._sets}
        for size in sorted(size for size in self._work.decode_bytes.values() if read_name(size) not in read):
            yield f"How fast {format_bytes(size)} of memory are read was not measured: that much is not free."
        if sees and not self._job.camera:
            yield "Frames a second were not measured: name a camera, such as /dev/video0, or sim://smear (simulated)."
        elif not sees and self._job.camera:
            yield "The camera was not used: this bundle sees no frames."
        elif self._job.camera.startswith("sim:"):
            yield "The camera is simulated: its frames are computed meanwhile, by the same processors."
        with EnergyMeter() as meter:
            if not meter.source:
                yield "This machine does not tell what power it takes, or not to this user."
            else:
                yield f"Power is that of {meter.source} ({meter.covers})."
        if self._before.temperature_c is None:
            yield "This machine tells no temperature."

    def _look(self) -> None:
        """See how the machine is; that it was slowed down once counts for all the time."""
        now = self._condition()
        causes = tuple(dict.fromkeys((*self._after.causes, *now.causes)))
        self._after = replace(now, throttled=self._after.throttled or now.throttled, causes=causes)

    def _condition(self) -> Condition:
        reading = self._telemetry.read()
        load = reading.load.one_minute if reading.load else None
        hottest = reading.hottest.temperature_c if reading.hottest else None
        return Condition(hottest, reading.throttled, tuple(reading.causes), load)


def run(bundle: str | os.PathLike[str], **settings: object) -> Report:
    """Measure a bundle and give the report; settings as `Bench` takes them."""
    bench = Bench(bundle, **settings)  # type: ignore[arg-type]
    with closing(bench.steps()) as steps:
        for _ in steps:
            pass
    return bench.report


def _best_threads(bundle: Bundle) -> int:
    """Give how many were measured to be best, or else the strong cores."""
    known = remembered_threads(bundle, WeightCache.usual())
    return known.threads if known else engine_threads()


def _kinds(*, plain: bool, speaks: bool) -> tuple[str, ...]:
    """Name what is done in every turn: a bare model is run as it is."""
    return ("load", "use", *(["run"] if plain else []), *(["decode"] if speaks else []), "memory", "limit")


def _place() -> Path:
    """Give a folder on the disk that packed weights usually lie on, or else that of temporary files."""
    usual = WeightCache.usual()
    if usual is not None:
        with suppress(OSError):
            usual.folder.mkdir(parents=True, exist_ok=True)
            if os.access(usual.folder, os.W_OK | os.X_OK):
                return usual.folder
    return Path(tempfile.gettempdir())


def _sweep(place: Path) -> None:
    """Take away what a benchmark left that was killed, or that a power cut ended."""
    for folder in place.glob(f"{_SCRATCH}*-*"):
        pid = folder.name.removeprefix(_SCRATCH).partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)
