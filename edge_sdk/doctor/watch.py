"""How the machine and the processes on it are at one moment, for `edge watch`.

Neither numpy nor an engine is loaded for it: it must not take what it watches.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from boards.telemetry import Reading, Telemetry
from boards.telemetry.file import Files
from edge_sdk.errors import ProcessNotFound
from edge_sdk.pulse import Beat, pulse_folder, read_beats
from edge_sdk.units import format_bytes

__all__ = ["Look", "Watch", "Worker"]

_PRIVATE = re.compile(r"^Rss(?:Anon|Shmem):\s*([0-9]+) kB", re.MULTILINE)
_BAR = 20
_FRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that is watched.

    Attributes
    ----------
    private_bytes : int or None
        Memory that only it can give back; None where this user may not see it.
    budget_bytes : int or None
        What it may take, where it or the user says so.
    beat : Beat or None
        What it told of its work; None where it tells nothing.
    """

    pid: int
    name: str
    private_bytes: int | None
    budget_bytes: int | None
    beat: Beat | None


@dataclass(frozen=True, slots=True)
class Look:
    """Everything at one moment."""

    at_s: float
    monotonic_s: float
    reading: Reading
    workers: tuple[Worker, ...]

    def as_json(self) -> dict[str, object]:
        """Give what changes, as what JSON knows."""
        reading = self.reading
        return {
            "time": datetime.fromtimestamp(self.at_s, tz=timezone.utc).isoformat(timespec="milliseconds"),
            "temperatures_c": {f"{zone.name}:{zone.kind}": zone.temperature_c for zone in reading.zones},
            "throttled": reading.throttled,
            "causes": list(reading.causes),
            "causes_since_boot": sorted({sign.cause for sign in reading.throttling if sign.since_boot}),
            "cpu_hz": {clock.name: clock.measured_hz or clock.current_hz for clock in reading.cpu_clocks},
            "load": reading.load.one_minute if reading.load else None,
            "memory_total_bytes": reading.memory.total_bytes,
            "memory_available_bytes": reading.memory.available_bytes,
            "cgroup_room_bytes": reading.cgroup.room_bytes,
            "memory_stall_percent": _stall(reading, "memory"),
            "swap_used_bytes": _swapped(reading),
            "processes": [
                {
                    "pid": worker.pid,
                    "name": worker.name,
                    "bundle": worker.beat.bundle if worker.beat else None,
                    "private_bytes": worker.private_bytes,
                    "budget_bytes": worker.budget_bytes,
                    "frames_per_s": self._rate(worker.beat, "frames_per_s"),
                    "tokens_per_s": self._rate(worker.beat, "tokens_per_s"),
                }
                for worker in self.workers
            ],
        }

    def __str__(self) -> str:
        return "\n".join([*_machine(self.reading), "", *self._processes()])

    def _processes(self) -> Iterator[str]:
        if not self.workers:
            yield "No process of this user tells of its work (edge ask, edge count and programs with the SDK do,"
            yield "where the user has a runtime folder); --pid PID shows the memory of any other."
        for worker in self.workers:
            bundle = f", {worker.beat.bundle}" if worker.beat else ""
            yield f"process {worker.pid} ({worker.name}{bundle})"
            yield f"  {'memory':<12} {_against(worker.private_bytes, worker.budget_bytes)}"
            if worker.beat is not None:
                ago_s = self.monotonic_s - worker.beat.at_s
                late = f" ({ago_s:.0f} s ago)" if ago_s > _FRESH_S else ""
                yield f"  {'frames':<12} {worker.beat.frames_per_s:.1f} a second, {worker.beat.frames} in all{late}"
                yield f"  {'tokens':<12} {worker.beat.tokens_per_s:.1f} a second, {worker.beat.tokens} in all{late}"

    def _rate(self, beat: Beat | None, name: str) -> float | None:
        if beat is None:
            return None
        return 0.0 if beat.idle(self.monotonic_s) else float(getattr(beat, name))


class Watch:
    """Looks at the machine again and again; used in ``with``.

    Parameters
    ----------
    pid : int, optional
        Also, and only, this process; without it all that tell of their work.
    budget_bytes : int, optional
        What the process may take, where it does not tell.
    root : path
        The folder that stands for ``/``.
    folder : Path, optional
        Where processes tell; the user's runtime folder by default.
    clock, monotonic : function
        The time of day, and seconds.

    Raises
    ------
    ProcessNotFound
        There is no such process.
    """

    def __init__(
        self,
        *,
        pid: int | None = None,
        budget_bytes: int | None = None,
        root: str | Path = "/",
        folder: Path | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pid, self._budget_bytes = pid, budget_bytes
        self._files = Files(root)
        self._folder = folder or pulse_folder()
        self._clock, self._monotonic = clock, monotonic
        self._telemetry = Telemetry(root)
        if pid is not None:
            self._worker(pid, None)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the kernel's files; twice is harmless."""
        self._telemetry.close()

    def look(self) -> Look:
        """Look at everything now.

        Raises
        ------
        ProcessNotFound
            The process that is watched has ended.
        """
        beats = {beat.pid: beat for beat in read_beats(self._folder, self._pid)}
        pids = sorted(beats) if self._pid is None else [self._pid]
        workers = tuple(self._worker(pid, beats.get(pid)) for pid in pids)
        return Look(self._clock(), self._monotonic(), self._telemetry.read(), workers)

    def _worker(self, pid: int, beat: Beat | None) -> Worker:
        status = self._files.whole(f"/proc/{pid}/status")
        if status is None and self._pid is not None:
            raise ProcessNotFound(f"There is no process {pid}.", fix="pgrep -af edge lists those of the SDK.")
        sizes = _PRIVATE.findall(status or "")
        name = re.search(r"^Name:\s*(.*)$", status or "", re.MULTILINE)
        told = beat.budget_bytes if beat else None
        private = 1024 * sum(map(int, sizes)) if sizes else None
        return Worker(pid, name[1] if name else "?", private, self._budget_bytes or told, beat)


def _machine(reading: Reading) -> Iterator[str]:
    for zone in reading.zones:
        if zone.temperature_c is not None:
            limit = next((trip for trip in zone.trips if trip.kind in ("passive", "hot", "critical")), None)
            until = f" (slowed down from {limit.temperature_c:.0f} °C)" if limit and limit.kind == "passive" else ""
            yield f"{'temperature':<14} {zone.temperature_c:5.1f} °C  {zone.kind}{until}"
    yield f"{'slowed down':<14} {_slowed(reading)}"
    for clock in reading.cpu_clocks:
        now_hz = clock.measured_hz or clock.current_hz
        if now_hz:
            most = f" of {clock.highest_hz / 1e6:.0f}" if clock.highest_hz else ""
            yield f"{'clock':<14} {now_hz / 1e6:.0f}{most} MHz  {clock.name}"
    if reading.load:
        yield f"{'load':<14} {reading.load.one_minute:.2f} {reading.load.five_minutes:.2f} (1 and 5 minutes)"
    total, available = reading.memory.total_bytes, reading.memory.available_bytes
    if total and available is not None:
        yield f"{'memory':<14} {_against(total - available, total)}"
    if reading.cgroup.limit_bytes is not None and reading.cgroup.room_bytes is not None:
        limit_bytes = reading.cgroup.limit_bytes
        yield f"{'control group':<14} {_against(limit_bytes - reading.cgroup.room_bytes, limit_bytes)}"
    if (swapped := _swapped(reading)) is not None and reading.memory.swap_total_bytes:
        yield f"{'swap':<14} {_against(swapped, reading.memory.swap_total_bytes)}"
    if (stall := _stall(reading, "memory")) is not None:
        yield f"{'memory stall':<14} {stall:.1f} % of the last 10 s"
    for supply in reading.supplies:
        if supply.charge_percent is not None:
            yield f"{'battery':<14} {supply.charge_percent} % {supply.status or ''}".rstrip()


def _slowed(reading: Reading) -> str:
    before = sorted({sign.cause for sign in reading.throttling if sign.since_boot} - set(reading.causes))
    earlier = f"; since its start by {', '.join(before)}" if before else ""
    if reading.throttled:
        return f"YES, by {', '.join(reading.causes)}{earlier}"
    return ("not told" if reading.throttled is None else "no") + earlier


def _against(used: int | None, most: int | None) -> str:
    """Write an amount beside its limit, with a bar."""
    if used is None:
        return "not told to this user"
    if not most:
        return f"{format_bytes(used)} private; no budget is told (--budget AMOUNT compares it with one)"
    filled = min(_BAR, round(_BAR * used / most))
    over = "  OVER" if used > most else ""
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {format_bytes(used)} of {format_bytes(most)}{over}"


def _stall(reading: Reading, of: str) -> float | None:
    found = next((pressure.some for pressure in reading.pressures if pressure.of == of), None)
    return found.average_10s_percent if found else None


def _swapped(reading: Reading) -> int | None:
    total, free = reading.memory.swap_total_bytes, reading.memory.swap_free_bytes
    return None if total is None or free is None else total - free
