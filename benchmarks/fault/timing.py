"""Rounds about time: a clock that is off and wraps behind a line of uneven delay, and telemetry without gaps unsaid."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from firmware_bridge.bridge import open_bridge
from firmware_bridge.reading import Reading
from firmware_bridge.simulation.fault import Faults

from .rig import Interpreter, Rig

__all__ = ["clock", "telemetry"]

_TO_DEVICE = Faults(latency_ms=1, jitter_ms=4)
_TO_HOST = Faults(latency_ms=6, jitter_ms=12)
_WRAPS_US = (1 << 32) - 1_000_000
_LOOKS = 30


def clock(interpreter: Interpreter, folder: Path, *, seconds: float, seed: int, ppm: int = 200) -> dict[str, Any]:
    """Read what the device's clock was looked at, and hold where the bridge puts it against where it was.

    The device's clock wraps after a second. The value of its sensor is this machine's own time at that look.
    """
    errors: list[tuple[float, float]] = []
    with Rig(interpreter, folder, _TO_DEVICE, _TO_HOST, seed=seed, ppm=ppm, start_us=_WRAPS_US) as rig:
        begun_us = next(event["begun_us"] for event in rig.events() if "begun_us" in event)
        offset_s = time.time_ns() / 1e9 - time.monotonic()
        with open_bridge(rig.port) as bridge:
            sensor = bridge.sensor("passed")
            end_s = time.monotonic() + seconds
            for reading in sensor.stream(0.02):
                for one in (reading, sensor.read()):
                    true_s = (begun_us + one.value) / 1e6 - offset_s
                    errors.append((abs(one.time_s - true_s), one.uncertainty_s))
                if time.monotonic() > end_s:
                    break
    broken = sum(error_s > promised_s + 1e-5 for error_s, promised_s in errors)
    promised = sorted(promised_s for _, promised_s in errors)
    return {
        "readings": len(errors),
        "beyond_promise": broken,
        "error_ms_most": round(1000 * max(error_s for error_s, _ in errors), 3),
        "promised_ms_median": round(1000 * promised[len(promised) // 2], 3),
    }


def telemetry(
    interpreter: Interpreter, folder: Path, *, seconds: float, seed: int, faults: Faults | None = None
) -> dict[str, Any]:
    """Sample a sensor 1000 times a second whose every value comes once, and count those that are missing unsaid."""
    unseen = told = count = 0
    resident, last, next_s = [], None, 0.0
    every_s = seconds / _LOOKS  # seldom: each look takes the device a millisecond or two
    with Rig(interpreter, folder, faults, seed=seed, memory_ms=round(1000 * every_s)) as rig:
        with open_bridge(rig.port) as bridge:
            alone = _alone(rig.served.process.pid)
            begun_s, idle = time.monotonic(), _idle_s(rig.served.process.pid)
            for reading in bridge.sensor("count").stream(0.001):
                unseen, told = _missed(last, reading, unseen, told)
                last, count = reading, count + 1
                now_s = time.monotonic() - begun_s
                if now_s >= next_s:
                    resident.append(_resident_bytes())
                    next_s = now_s + every_s
                if now_s >= seconds:
                    break
            statistics = bridge.statistics
            waited_s, stolen_s = (after - was for was, after in zip(idle, _idle_s(rig.served.process.pid), strict=True))
        held = [event["memory"] for event in rig.events() if "memory" in event]
        stamps_us = [event["us"] for event in rig.events() if "memory" in event]
    return {
        "seconds": round(now_s, 1),
        "readings": count,
        "per_second": round(count / now_s, 1),
        "periods_left_out": round(1000 * now_s) - count - told,
        "device_real_time": alone,
        # While the device has no processor, each millisecond leaves a period out.
        "device_waited_s": round(waited_s, 3),
        "machine_stolen_s": round(stolen_s, 3),
        "missed_and_told": told,
        "missed_unseen": unseen,
        "retransmits": statistics.retransmits,
        "host_rss_bytes": _ends(resident),
        "device_heap_bytes": _ends(held),
        "device_looks": len(stamps_us),
    }


def _alone(process: int) -> bool:
    """Let the stand-in of a microcontroller, which has a processor of its own, go before all else, if this may."""
    try:
        os.sched_setscheduler(process, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return False
    return True


def _idle_s(process: int) -> tuple[float, float]:
    """Say how long a process has waited for a processor, and each of the machine's for its host.

    Source: the kernel's Documentation/scheduler/sched-stats.rst (schedstat), and proc_stat(5) (steal).
    """
    waited_s = int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
    every, *each = (line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu"))
    return waited_s, int(every[8]) / os.sysconf("SC_CLK_TCK") / len(each)


def _missed(last: Reading | None, reading: Reading, unseen: int, told: int) -> tuple[int, int]:
    """Count what lies between two readings: said to be missed, and not said."""
    if last is None:
        return unseen, told
    gap = round(reading.value - last.value) - 1
    return unseen + abs(gap - reading.missed), told + reading.missed


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def _ends(held: list[int]) -> dict[str, int]:
    """Give the least that was held in the second third of the time, the least in the last, and the most of all.

    Where memory is flat the two are alike, however it goes up and down between; what grows steadily parts them by a
    third of all that it grows. The first third is for what is made once.
    """
    if not held:
        return {}
    third = (len(held) + 2) // 3
    return {"early": min(held[third:-third] or held[:third]), "late": min(held[-third:]), "most": max(held)}
