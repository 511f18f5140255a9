"""Show what one reading of the telemetry costs: on this machine, and on a made-up large board.

    python benchmarks/telemetry.py --json OUT [--readings 500] [--short]

The large board has 12 cores, 10 thermal zones and a deep group with a limit. Its files are read both ways, in turns:
opened anew each time, as below any root but `/`, and kept open, as on a real machine. Files of a folder stand in for
the kernel's: a sensor behind a slow bus costs what the bus costs.
JSON: for `this_machine`, `large_board` and `large_board_kept_open` `{"median_ms", "p25_ms", "p75_ms", "cpu_ms"}`, where
`cpu_ms`, a mean, leaves out what other processes took; `set_up_ms`; `kept_to_anew`; `files`; `readings`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from boards.telemetry import Telemetry
from boards.telemetry.file import Files

NAMES = ("MemTotal", "MemFree", "MemAvailable", "SwapTotal", "SwapFree", *(f"Other{number}" for number in range(45)))
MEMINFO = "".join(f"{name}:        {1000 + number} kB\n" for number, name in enumerate(NAMES))
MEMORY_STAT = "".join(f"counter_{number} {number}\n" for number in range(50)) + "inactive_file 100\nactive_file 100\n"
STALL = "avg10=1.50 avg60=0.25 avg300=0.00 total=123456\n"


def large_board() -> dict[str, str]:
    """Give the files of a board of 12 cores, as a Jetson AGX Orin has, with everything that telemetry looks for."""
    files = {
        "proc/meminfo": MEMINFO,
        "proc/loadavg": "0.73 0.70 0.40 3/123 4567\n",
        "proc/self/cgroup": "0::/user.slice/user-1000.slice/session.scope\n",
        "proc/self/mountinfo": "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "sys/class/power_supply/bat/type": "Battery\n",
        "sys/block/mmcblk0/device/life_time": "0x01 0x02\n",
        "sys/class/hwmon/hwmon3/name": "soctherm_oc\n",
    }
    files["proc/swaps"] = "Filename Type Size Used Priority\n" + "".join(
        f"/dev/zram{number} partition 662652 3968 5\n" for number in range(6)
    )
    for number in range(6):
        files[f"sys/block/zram{number}/disksize"] = "678555648\n"
        files[f"sys/block/zram{number}/mm_stat"] = "4063232 1016000 1200000 0 1200000 12 0 0 0\n"
    for name in ("cpu", "memory", "io"):
        files[f"proc/pressure/{name}"] = f"some {STALL}full {STALL}"
    for name in ("status", "capacity", "voltage_now", "current_now", "temp"):
        files[f"sys/class/power_supply/bat/{name}"] = "50\n"
    for group in ("user.slice", "user.slice/user-1000.slice", "user.slice/user-1000.slice/session.scope"):
        for name, text in {"max": "900000000", "high": "max", "current": "1000000", "stat": MEMORY_STAT}.items():
            files[f"sys/fs/cgroup/{group}/memory.{name}"] = f"{text}\n"
    return files | _heat() | _clocks()


def _heat() -> dict[str, str]:
    files: dict[str, str] = {}
    for number in range(10):
        folder = f"sys/class/thermal/thermal_zone{number}"
        files |= {f"{folder}/type": f"zone{number}-thermal\n", f"{folder}/temp": f"{45000 + number}\n"}
        for trip, at in enumerate((70000, 85000, 105000)):
            files |= {f"{folder}/trip_point_{trip}_type": "passive\n", f"{folder}/trip_point_{trip}_temp": f"{at}\n"}
        folder = f"sys/class/thermal/cooling_device{number}"
        files |= {
            f"{folder}/type": f"cpufreq-cpu{number}\n",
            f"{folder}/cur_state": "0\n",
            f"{folder}/max_state": "8\n",
        }
    for number in (1, 2, 3):
        files[f"sys/class/hwmon/hwmon3/oc{number}_event_cnt"] = "0\n"
    return files


def _clocks() -> dict[str, str]:
    files: dict[str, str] = {}
    for core in range(12):
        files[f"sys/devices/system/cpu/cpu{core}/thermal_throttle/core_throttle_count"] = "0\n"
    for cluster in range(3):
        folder = f"sys/devices/system/cpu/cpufreq/policy{cluster * 4}"
        files[f"{folder}/related_cpus"] = " ".join(str(cluster * 4 + core) for core in range(4)) + "\n"
        files[f"{folder}/scaling_driver"] = "cpufreq-dt\n"
        for name in ("scaling_cur", "scaling_max", "cpuinfo_cur", "cpuinfo_min", "cpuinfo_max"):
            files[f"{folder}/{name}_freq"] = "2200000\n"
    for device in ("gpu", "npu", "dmc", "vpu"):
        files |= {f"sys/class/devfreq/{device}/{name}_freq": "918000000\n" for name in ("cur", "max")}
    return files


def measure(root: Path, readings: int) -> dict[str, Any]:
    """Time the three sides in turns; who goes first changes from reading to reading."""
    anew, kept = Telemetry(root), Telemetry(root)
    kept._files = Files(root, keep=True)
    begin = time.perf_counter()
    here = Telemetry()
    set_up_ms = (time.perf_counter() - begin) * 1000
    sides = [("this_machine", here), ("large_board", anew), ("large_board_kept_open", kept)]
    wall: dict[str, list[float]] = {name: [] for name, _ in sides}
    cpu = dict.fromkeys(wall, 0.0)
    for number in range(-10, readings):
        for name, side in sides if number % 2 else reversed(sides):
            begin, begin_cpu = time.perf_counter(), time.thread_time()
            reading = side.read()
            took, took_cpu = time.perf_counter() - begin, time.thread_time() - begin_cpu
            assert side is here or not reading.unreadable, reading.unreadable
            if number >= 0:
                wall[name].append(took * 1000)
                cpu[name] += took_cpu * 1000
    here.close()
    kept._files.close()
    ratios = [one / other for one, other in zip(wall["large_board_kept_open"], wall["large_board"], strict=True)]
    result: dict[str, Any] = {name: _spread(wall[name], cpu[name] / readings) for name in wall}
    return result | {"set_up_ms": round(set_up_ms, 3), "kept_to_anew": round(statistics.median(ratios), 3)}


def _spread(wall: list[float], cpu: float) -> dict[str, float]:
    low, middle, high = statistics.quantiles(wall, n=4)
    figures = {"median_ms": middle, "p25_ms": low, "p75_ms": high, "cpu_ms": cpu}
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--readings", type=int, default=500)
    parser.add_argument("--short", action="store_true", help="20 readings, to see that it runs")
    options = parser.parse_args()
    readings = 20 if options.short else options.readings
    files = large_board()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        result = measure(Path(folder), readings) | {"files": len(files), "readings": readings}
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
