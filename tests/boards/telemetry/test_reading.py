from __future__ import annotations

import gc
import json
import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import FrozenInstanceError, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

import boards.telemetry
from boards.telemetry import EnergyMeter, Reading, Telemetry

Grow = Callable[[dict[str, str]], Path]
GUEST = Path(__file__).with_name("telemetry_guest.py")

# A little of everything.
BOARD = {
    "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 500 kB\nSwapTotal: 5 kB\nSwapFree: 5 kB\n",
    "proc/swaps": "Filename Type Size Used Priority\n/dev/zram0 partition 5 0 100\n",
    "proc/loadavg": "0.73 0.70 0.40 3/123 4567\n",
    "proc/pressure/memory": "some avg10=1.50 avg60=0.25 avg300=0.00 total=123456\n",
    "proc/self/cgroup": "0::/a\n",
    "proc/self/mountinfo": "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "sys/fs/cgroup/a/memory.max": "1000\n",
    "sys/fs/cgroup/a/memory.current": "100\n",
    "sys/fs/cgroup/a/memory.stat": "inactive_file 10\nactive_file 10\n",
    "sys/block/zram0/disksize": "5120\n",
    "sys/block/zram0/mm_stat": "100 50 60 0 60 0 0 0 0\n",
    "sys/block/mmcblk0/device/type": "MMC\n",
    "sys/block/mmcblk0/device/life_time": "0x01 0x02\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "61000\n",
    "sys/class/thermal/thermal_zone0/trip_point_0_type": "passive\n",
    "sys/class/thermal/thermal_zone0/trip_point_0_temp": "85000\n",
    "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0\n",
    "sys/class/thermal/cooling_device0/cur_state": "0\n",
    "sys/class/thermal/cooling_device0/max_state": "8\n",
    "sys/class/hwmon/hwmon0/name": "soctherm_oc\n",
    "sys/class/hwmon/hwmon0/oc1_event_cnt": "0\n",
    "sys/class/power_supply/bat/type": "Battery\n",
    "sys/class/power_supply/bat/capacity": "71\n",
    "sys/class/devfreq/gpu/cur_freq": "300000000\n",
    "sys/class/devfreq/gpu/max_freq": "600000000\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
    "sys/devices/system/cpu/cpufreq/policy0/related_cpus": "0 1 2 3\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "600000\n",
    "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_cur_freq": "600000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "1800000\n",
    "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_min_freq": "600000\n",
    "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": "1800000\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "0\n",
}


def test_a_board_that_tells_everything_leaves_nothing_open(tree: Grow) -> None:
    reading = Telemetry(tree(BOARD)).read()
    told = [getattr(reading, field.name) for field in fields(reading) if field.name != "unreadable"]
    assert all(told)
    assert reading.unreadable == ()
    assert reading.throttled is False


def test_a_root_with_nothing_in_it_tells_nothing_and_invents_nothing(tmp_path: Path) -> None:
    reading = Telemetry(tmp_path).read()
    assert (reading.load, reading.throttled, reading.causes, reading.hottest) == (None, None, (), None)
    told = json.dumps(asdict(reading))
    assert not any(character.isdigit() for character in told), told


def test_a_reading_goes_into_json(tree: Grow) -> None:
    told = json.loads(json.dumps(asdict(Telemetry(tree(BOARD)).read())))
    assert told["zones"][0]["temperature_c"] == 61.0
    assert told["cgroup"]["room_bytes"] == 920


@pytest.mark.parametrize("seed", range(8))
def test_garbage_in_any_file_never_stops_a_reading(tree: Grow, seed: int) -> None:
    dice = random.Random(seed)
    root = tree(BOARD)
    before = Telemetry(root)
    garbage = (
        b"",
        b"-1\n",
        b"\0" * 9,
        b"\xff\xfe\x80",
        b"999999999999999999999999",
        b"a: b c\n::\n - - \n",
        b"%s" * 99,
    )
    for name in BOARD:
        if dice.random() < 0.7:
            (root / name).write_bytes(dice.choice(garbage))
    for telemetry in (before, Telemetry(root)):
        reading = telemetry.read()
        json.dumps(asdict(reading))
        assert reading.unreadable


@pytest.mark.parametrize("name", BOARD)
def test_a_file_that_goes_between_two_readings_costs_only_itself(tree: Grow, name: str) -> None:
    root = tree(BOARD)
    telemetry = Telemetry(root)
    before = asdict(telemetry.read())
    (root / name).unlink()
    after = asdict(telemetry.read())
    changed = {part for part in before if before[part] != after[part]} - {"unreadable", "throttling"}
    assert len(changed) <= 1
    # Of files that are read at each reading and belong to a device, the lack is named.
    if name.endswith(("/temp", "cur_state", "_cnt", "cur_freq", "scaling_max_freq", "capacity", "throttled", "_count")):
        assert any(named.startswith(f"/{name}: ") for named in after["unreadable"])


def test_a_board_that_may_not_be_read_is_named_file_by_file(
    tree: Grow, ordinary_user: Callable[[], AbstractContextManager[None]]
) -> None:
    root = tree(BOARD)
    telemetry = Telemetry(root)
    for name in BOARD:
        (root / name).chmod(0)
    with ordinary_user():
        reading = telemetry.read()
    assert reading.zones[0].temperature_c is None
    assert reading.memory.total_bytes is None
    assert "/sys/class/thermal/thermal_zone0/temp: Permission denied" in reading.unreadable
    assert "/proc/meminfo: Permission denied" in reading.unreadable


def test_what_could_not_be_read_when_the_sources_were_looked_for_stays_named(tree: Grow) -> None:
    telemetry = Telemetry(tree(BOARD | {"sys/block/mmcblk0/device/life_time": "worn"}))
    for _ in range(2):
        assert telemetry.read().unreadable == ("/sys/block/mmcblk0/device/life_time: holds 'worn'",)


def test_everything_that_is_told_is_frozen_and_slotted(tree: Grow) -> None:
    told = [getattr(boards.telemetry, name) for name in boards.telemetry.__all__]
    for kind in told:
        if isinstance(kind, type) and kind not in (Telemetry, EnergyMeter):
            assert is_dataclass(kind), kind
            assert "__slots__" in vars(kind), kind
            assert vars(kind)["__dataclass_params__"].frozen, kind
    with pytest.raises(FrozenInstanceError):
        Telemetry(tree(BOARD)).read().load = None  # type: ignore[misc]


class TestThisMachine:
    def open_files(self) -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    def test_files_are_kept_open_until_it_is_closed(self) -> None:
        before = self.open_files()
        with Telemetry() as telemetry:
            telemetry.read()
            kept = self.open_files()
            telemetry.read()
            assert self.open_files() == kept > before
        assert self.open_files() == before
        telemetry.close()
        assert telemetry.read().memory.total_bytes
        assert self.open_files() == before

    def test_one_that_is_forgotten_lets_its_files_go(self) -> None:
        before = self.open_files()
        Telemetry().read()
        assert self.open_files() == before

    def test_many_threads_may_ask_at_once(self) -> None:
        readings: list[Reading] = []
        with Telemetry() as telemetry:
            threads = [threading.Thread(target=lambda: readings.append(telemetry.read())) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len({reading.memory.total_bytes for reading in readings}) == 1
        assert len(readings) == 8


@pytest.fixture(scope="module")
def report(in_lab: Callable[..., dict[str, Any]], material: Path) -> dict[str, Any]:
    """Run the guest once; what it saw of its own kernel."""
    return in_lab(GUEST, str(material / "lab/linux"))


@pytest.mark.lab
class TestARealKernel:
    def test_tells_its_memory_and_its_pressure(self, report: dict[str, Any]) -> None:
        free = report["free"]
        assert 220e6 < free["memory"]["available_bytes"] < free["memory"]["total_bytes"] < 256e6
        assert [pressure["of"] for pressure in free["pressures"]] == ["cpu", "memory", "io"]
        assert free["pressures"][0]["some"]["total_us"] > 0
        assert free["load"]["tasks"] > 0
        assert free["unreadable"] == []

    def test_has_no_limit_until_one_is_set(self, report: dict[str, Any]) -> None:
        assert report["free"]["cgroup"]["limit_bytes"] is None
        assert report["after"]["limit_bytes"] is None

    def test_tells_the_limit_of_the_group_above(self, report: dict[str, Any]) -> None:
        before = report["before"]
        assert (before["version"], before["path"], before["limit_bytes"]) == (2, "/sys/fs/cgroup/outer", 96 << 20)
        assert before["unreadable"] == []

    def test_counts_memory_that_is_taken(self, report: dict[str, Any]) -> None:
        less = report["before"]["room_bytes"] - report["taken"]["room_bytes"]
        assert abs(less - report["taken_bytes"]) < 1e6  # Charged in batches of pages.

    def test_counts_pages_of_a_file_as_used_and_as_room(self, report: dict[str, Any]) -> None:
        taken, cached, size = report["taken"], report["cached"], report["file_bytes"]
        assert 0.9 * size < cached["used_bytes"] - taken["used_bytes"] < 1.1 * size
        assert 0.9 * size < cached["reclaimable_bytes"] - taken["reclaimable_bytes"] < 1.1 * size
        assert abs(cached["room_bytes"] - taken["room_bytes"]) < 1e6
        assert abs(report["fresh"]["room_bytes"] - cached["room_bytes"]) < 1e6

    def test_says_of_a_kept_file_that_its_group_is_gone(self, report: dict[str, Any]) -> None:
        assert report["kept"] > 0
        assert report["gone"] is None
        assert report["gone_why"] == ["/sys/fs/cgroup/outer/inner/memory.current: No such file or directory"]
