from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.bundle import StoredBundle
from edge_sdk.doctor.memory import memory_free
from edge_sdk.doctor.storage import disk_free, flash_wear, swap_flash
from edge_sdk.doctor.surroundings import Space

Told = Callable[[Any], list[tuple[str, str]]]
GB = 1_000_000_000
SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
MOUNTS = "24 1 179:2 / / rw,noatime - ext4 /dev/mmcblk0p2 rw\n31 24 8:1 / /mnt/ssd rw - ext4 /dev/sda1 rw\n"


def room(device: int = 1, **said: Any) -> Callable[[Path], Space]:
    usual = {"free_bytes": 8 * GB, "total_bytes": 30 * GB, "files_free": 100_000, "read_only": False}
    return lambda path: Space(device=device, **{**usual, **said})


class TestMemoryFree:
    def test_enough_is_fine_and_tells_what_the_model_needs(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(memory_free(machine()))
        assert mark == "ok"
        assert what.startswith("3.6 GB of 4.2 GB are free; the SDK may take ")

    def test_too_little_is_a_failure_with_a_way_out(self, machine: Any) -> None:
        little = {"proc/meminfo": "MemTotal: 500000 kB\nMemFree: 9000 kB\nMemAvailable: 60000 kB\n"}
        ((finding),) = memory_free(machine(little))
        assert finding.mark == "failure"
        assert "too little" in finding.what
        assert "ps -eo" in finding.fix

    def test_an_engine_that_counts_alone_is_not_taken_for_want_of_memory(
        self, machine: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("edge_sdk.memory.cost.is_old", lambda: True)
        monkeypatch.setattr("edge_sdk.memory.cost.ENGINES", ("interpreter",))
        ((finding),) = memory_free(machine())
        assert finding.mark == "warning"
        assert "without tf_lite_vision_adapter, tf_lite_embedder, tf_lite_prefill_decode: The engine" in finding.what
        assert "64-bit system" in finding.fix

    def test_the_limit_of_a_control_group_counts(self, machine: Any, told: Told) -> None:
        group = {
            "proc/self/cgroup": "0::/a\n",
            "proc/self/mountinfo": "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "sys/fs/cgroup/a/memory.max": "30000000\n",
            "sys/fs/cgroup/a/memory.current": "1000000\n",
        }
        ((mark, what),) = told(memory_free(machine(group)))
        assert mark == "failure"
        assert "the control group /sys/fs/cgroup/a allows 30 MB" in what


class TestDiskFree:
    def test_one_disk_is_told_of_once(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(disk_free(machine(space=room())))
        assert mark == "ok"
        assert what.startswith("8 GB of 30 GB are free for packed weights")

    def test_a_bundle_whose_packed_weights_are_not_kept_needs_no_room_for_them(
        self, machine: Any, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for size, mark in ((9 * GB, "ok"), (1 * GB, "warning")):
            large = [StoredBundle("large", Path("/large.litertlm"), size, False)]
            monkeypatch.setattr("edge_sdk.doctor.storage.list_bundles", lambda found=large: found)
            assert told(disk_free(machine(space=room(free_bytes=GB // 2))))[0][0] == mark

    def test_no_place_for_passing_files_is_a_failure_and_the_other_places_are_looked_at(
        self, machine: Any, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def none() -> str:
            raise FileNotFoundError(2, "No usable temporary directory found")

        monkeypatch.setattr(tempfile, "gettempdir", none)
        assert [mark for mark, _ in told(disk_free(machine(space=room())))] == ["failure", "ok"]

    @pytest.mark.parametrize(
        ("said", "mark", "part"),
        [
            ({"free_bytes": 1_000_000}, "failure", "the disk is full"),
            ({"free_bytes": 60_000_000}, "warning", "100 MB should be"),
            ({"files_free": 3}, "failure", "room for 3 more files only"),
            ({"files_free": None}, "ok", "are free"),
            ({"read_only": True}, "failure", "can only be read"),
        ],
    )
    def test_little_room(self, machine: Any, told: Told, said: dict[str, Any], mark: str, part: str) -> None:
        ((found, what),) = told(disk_free(machine(space=room(**said))))
        assert found == mark
        assert part in what


class TestSwapFlash:
    def test_none_is_fine(self, machine: Any, told: Told) -> None:
        assert told(swap_flash(machine())) == [("ok", "Swap: none. None of it wears a card.")]

    def test_zram_is_fine(self, machine: Any, told: Told) -> None:
        swaps = f"{SWAPS}/dev/zram0 partition 2000000 0 100\n"
        assert told(swap_flash(machine({"proc/swaps": swaps}))) == [
            ("ok", "Swap: zram, 2 GB. None of it wears a card.")
        ]

    def test_a_file_on_a_card_is_a_warning_with_the_distributions_own_command(self, machine: Any) -> None:
        files = {
            "proc/swaps": f"{SWAPS}/var/swap file 102396 0 -2\n",
            "proc/self/mountinfo": MOUNTS,
            "etc/dphys-swapfile": "CONF_SWAPSIZE=100\n",
        }
        ((finding),) = swap_flash(machine(files))
        assert finding.mark == "warning"
        assert "/var/swap" in finding.what
        assert finding.fix == "sudo dphys-swapfile swapoff && sudo systemctl disable --now dphys-swapfile"

    def test_a_file_on_another_disk_is_fine(self, machine: Any, told: Told) -> None:
        files = {"proc/swaps": f"{SWAPS}/mnt/ssd/swap file 102396 0 -2\n", "proc/self/mountinfo": MOUNTS}
        ((mark, what),) = told(swap_flash(machine(files)))
        assert mark == "ok"
        assert "/mnt/ssd/swap" in what

    def test_the_card_is_found_behind_dev_root(self, machine: Any) -> None:
        files = {
            "proc/swaps": f"{SWAPS}/var/swap file 102396 0 -2\n",
            "proc/self/mountinfo": "24 1 179:2 / / rw - ext4 /dev/root rw\n",
            "proc/cmdline": "console=tty1 root=/dev/mmcblk0p2 rootwait\n",
        }
        ((finding),) = swap_flash(machine(files))
        assert finding.mark == "warning"
        assert finding.fix.startswith("sudo swapoff /var/swap")

    def test_a_partition_of_a_card_is_a_warning(self, machine: Any) -> None:
        ((finding),) = swap_flash(machine({"proc/swaps": f"{SWAPS}/dev/mmcblk0p3 partition 512000 0 -2\n"}))
        assert finding.mark == "warning"


class TestFlashWear:
    @pytest.mark.parametrize(
        ("life", "spare", "mark", "part"),
        [
            ("0x01 0x02", "0x01", "ok", "10 % of its life behind it at least, 20 % at most"),
            ("0x09 0x02", "0x01", "warning", "80 % or more"),
            ("0x01 0x01", "0x02", "warning", "few spare blocks"),
            ("0x0b 0x02", "0x01", "failure", "may fail any day"),
            ("0x01 0x01", "0x03", "failure", "may fail any day"),
        ],
    )
    def test_what_the_chip_says(self, machine: Any, told: Told, life: str, spare: str, mark: str, part: str) -> None:
        folder = "sys/block/mmcblk0/device"
        chip = {f"{folder}/type": "MMC\n", f"{folder}/life_time": f"{life}\n", f"{folder}/pre_eol_info": f"{spare}\n"}
        ((found, what),) = told(flash_wear(machine(chip)))
        assert found == mark
        assert part in what

    def test_a_card_does_not_tell(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(flash_wear(machine({"sys/block/mmcblk0/device/type": "SD\n"})))
        assert mark == "nothing"
        assert "does not tell" in what
