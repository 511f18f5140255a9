from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boards.telemetry import Swap, read_memory

Grow = Callable[[dict[str, str]], Path]

# A Raspberry Pi Zero 2 W; columns as in https://docs.kernel.org/filesystems/proc.html#meminfo.
MEMINFO = """\
MemTotal:         437896 kB
MemFree:          186520 kB
MemAvailable:     263940 kB
Buffers:           10052 kB
SwapTotal:        540292 kB
SwapFree:         539268 kB
"""
# The blanks and tabs are the kernel's; see mm/swapfile.c, swap_show.
SWAPS = """\
Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/var/swap\\040file                       file\t\t102396\t\t0\t\t-2
/dev/zram0                              partition\t437896\t\t1024\t\t100
"""
# https://docs.kernel.org/admin-guide/blockdev/zram.html: stored, compressed, memory used, limit, peak, ...
ZRAM = {
    "sys/block/zram0/disksize": "448405504\n",
    "sys/block/zram0/mm_stat": "  1048576   262144   327680        0   327680       12        0        0        0\n",
}


def test_sizes_are_in_bytes(tree: Grow) -> None:
    memory = read_memory(tree({"proc/meminfo": MEMINFO}))
    assert memory.total_bytes == 437896 * 1024
    assert memory.available_bytes == 263940 * 1024
    assert memory.free_bytes == 186520 * 1024
    assert (memory.swap_total_bytes, memory.swap_free_bytes) == (540292 * 1024, 539268 * 1024)


def test_swap_on_flash_is_told_from_compressed_memory(tree: Grow) -> None:
    memory = read_memory(tree({"proc/meminfo": MEMINFO, "proc/swaps": SWAPS, **ZRAM}))
    assert memory.swaps == (
        Swap("/var/swap file", "file", 102396 * 1024, 0, -2, zram=False),
        Swap("/dev/zram0", "partition", 437896 * 1024, 1024 * 1024, 100, zram=True),
    )
    assert memory.zram_swap_bytes == 437896 * 1024
    assert memory.disk_swap_bytes == 102396 * 1024


def test_the_ratio_of_zram_counts_the_allocators_overhead(tree: Grow) -> None:
    (zram,) = read_memory(tree({"proc/swaps": SWAPS, **ZRAM})).zrams
    assert (zram.stored_bytes, zram.compressed_bytes, zram.used_bytes) == (1048576, 262144, 327680)
    assert zram.ratio == pytest.approx(3.2)
    assert zram.limit_bytes is None
    assert zram.swap


def test_zram_that_carries_logs_is_no_swap(tree: Grow) -> None:
    # Armbian keeps /var/log on one.
    logs = {name.replace("zram0", "zram1"): text for name, text in ZRAM.items()}
    zrams = read_memory(tree({"proc/swaps": SWAPS, **ZRAM, **logs})).zrams
    assert [(zram.name, zram.swap) for zram in zrams] == [("zram0", True), ("zram1", False)]


def test_zram_that_was_never_set_up_does_not_count(tree: Grow) -> None:
    assert read_memory(tree({**ZRAM, "sys/block/zram0/disksize": "0\n"})).zrams == ()


def test_a_file_called_like_zram_is_a_file(tree: Grow) -> None:
    swaps = SWAPS.replace("/dev/zram0 ", "/mnt/zram0 ").replace("partition", "file     ")
    assert read_memory(tree({"proc/swaps": swaps})).zram_swap_bytes == 0


def test_an_empty_zram_has_no_ratio(tree: Grow) -> None:
    (zram,) = read_memory(tree({**ZRAM, "sys/block/zram0/mm_stat": "0 0 0 0 0 0 0 0 0\n"})).zrams
    assert zram.ratio is None


@pytest.mark.parametrize("text", ["", "garbage", "MemTotal: much kB\n", "MemTotal: 12 MB\n", "\0\0\0"])
def test_what_makes_no_sense_is_none(tree: Grow, text: str) -> None:
    memory = read_memory(
        tree({"proc/meminfo": text, "proc/swaps": "a b c\nd e f\n", "sys/block/zram0/disksize": "-1\n"})
    )
    assert memory.total_bytes is None
    assert memory.available_bytes is None
    assert (memory.swaps, memory.zrams) == ((), ())


def test_a_root_with_nothing_in_it_gives_a_memory_of_nothing(tmp_path: Path) -> None:
    memory = read_memory(tmp_path)
    assert memory.total_bytes is None
    assert memory.swap_total_bytes is None


def test_this_machine_has_memory() -> None:
    memory = read_memory()
    assert memory.total_bytes is not None
    assert memory.available_bytes is not None
    assert 0 < memory.available_bytes <= memory.total_bytes


def test_real_boards_tables_of_swaps_are_read(tree: Grow, material: Path) -> None:
    captures = material / "captures" / "sbc-bench"
    if not captures.is_dir():
        pytest.skip(f"no captures at {captures}")
    kb = {}
    for path in sorted(captures.glob("*.txt")):
        _, found, rest = path.read_text(errors="replace").partition("\nFilename\t")
        if found:
            memory = read_memory(tree({"proc/swaps": "Filename\t" + rest.partition("\n\n")[0]}))
            kb[path.stem] = (memory.zram_swap_bytes // 1024, memory.disk_swap_bytes // 1024)
    assert kb["nvidia-orin-nano-developer-kit"] == (6 * 626060, 0)
    assert kb["raspberry-pi-4-model-b-rev-1-4"] == (262140, 102396)
    assert kb["raspberry-pi-zero-2-rev-1-0"] == (0, 102396)
    assert all(sum(sizes) for sizes in kb.values())
