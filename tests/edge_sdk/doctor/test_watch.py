from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.doctor.watch import Watch
from edge_sdk.errors import ProcessNotFound
from edge_sdk.pulse import Beat

ZONE = "sys/class/thermal/thermal_zone0"
BUSY = {
    f"{ZONE}/type": "cpu-thermal\n",
    f"{ZONE}/temp": "71200\n",
    f"{ZONE}/trip_point_0_type": "passive\n",
    f"{ZONE}/trip_point_0_temp": "80000\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    "proc/loadavg": "3.50 2.25 1.00 4/200 900\n",
    "proc/pressure/memory": "some avg10=12.50 avg60=0.25 avg300=0.00 total=123456\n",
    "proc/1/status": "Name:\tpython3\nRssAnon:\t   60000 kB\nRssFile:\t 9999 kB\nRssShmem:\t     4000 kB\n",
    "proc/77/status": "Name:\tother\n",
}
BEAT = Beat(1, "smear", 128_000_000, 40, 900, 2.5, 31.5, 499.0)


@pytest.fixture
def watch(machine: Any, tmp_path: Path) -> Any:
    """Give a function that watches a busy machine on which process 1 tells of its work, one second ago."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "1.json").write_text(json.dumps(asdict(BEAT)))

    def make(now_s: float = 500.0, **said: Any) -> Watch:
        root = machine(BUSY).root
        return Watch(root=root, folder=folder, clock=lambda: 1_700_000_000.0, monotonic=lambda: now_s, **said)

    return make


class TestText:
    def test_everything_that_the_board_tells_is_shown(self, watch: Any) -> None:
        lines = str(watch().look()).splitlines()
        assert lines[0] == "temperature     71.2 °C  cpu-thermal (slowed down from 80 °C)"
        assert lines[1] == "slowed down    YES, by under-voltage"
        assert "load           3.50 2.25 (1 and 5 minutes)" in lines
        assert "memory         [###.................] 664 MB of 4.2 GB" in lines
        assert "memory stall   12.5 % of the last 10 s" in lines

    def test_a_process_that_tells_is_shown_against_its_budget(self, watch: Any) -> None:
        text = str(watch().look())
        assert text.partition("process ")[2].splitlines() == [
            "1 (python3, smear)",
            "  memory       [##########..........] 66 MB of 128 MB",
            "  frames       2.5 a second, 40 in all",
            "  tokens       31.5 a second, 900 in all",
        ]

    def test_one_that_told_long_ago_says_when(self, watch: Any) -> None:
        assert "900 in all (11 s ago)" in str(watch(now_s=510.0).look())

    def test_more_than_the_budget_stands_out(self, watch: Any) -> None:
        assert "66 MB of 32 MB  OVER" in str(watch(pid=1, budget_bytes=32_000_000).look())

    def test_a_process_without_a_budget_is_shown_alone(self, watch: Any, tmp_path: Path) -> None:
        (tmp_path / "run/1.json").unlink()
        text = str(watch(pid=1).look())
        assert "66 MB private; no budget is told" in text
        assert "frames" not in text

    def test_one_of_another_user_is_not_told(self, watch: Any) -> None:
        assert "not told to this user" in str(watch(pid=77).look())

    def test_where_nothing_tells_it_says_how_to(self, watch: Any, tmp_path: Path) -> None:
        (tmp_path / "run/1.json").unlink()
        assert "--pid PID" in str(watch().look())


class TestJson:
    def test_a_line_has_what_changes(self, watch: Any) -> None:
        told = json.loads(json.dumps(watch().look().as_json()))
        assert told["time"] == "2023-11-14T22:13:20.000+00:00"
        assert told["temperatures_c"] == {"thermal_zone0:cpu-thermal": 71.2}
        assert (told["throttled"], told["causes"]) == (True, ["under-voltage"])
        assert told["memory_available_bytes"] == 3_584_000_000
        assert told["processes"] == [
            {
                "pid": 1,
                "name": "python3",
                "bundle": "smear",
                "private_bytes": 65_536_000,
                "budget_bytes": 128_000_000,
                "frames_per_s": 2.5,
                "tokens_per_s": 31.5,
            }
        ]

    def test_rates_are_zero_once_nothing_was_told_for_long(self, watch: Any) -> None:
        (process,) = watch(now_s=600.0).look().as_json()["processes"]
        assert (process["frames_per_s"], process["tokens_per_s"]) == (0.0, 0.0)


def test_a_process_that_is_not_there_is_said_at_once(watch: Any) -> None:
    with pytest.raises(ProcessNotFound, match="There is no process 4711"):
        watch(pid=4711)


def test_a_process_that_ends_ends_the_watch(watch: Any, tmp_path: Path) -> None:
    looker = watch(pid=1)
    looker.look()
    (tmp_path / "proc/1/status").unlink()
    with pytest.raises(ProcessNotFound):
        looker.look()
