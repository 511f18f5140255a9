from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from boards import Profile, find_profile
from boards.telemetry import CgroupMemory, Memory, Swap
from edge_sdk.errors import EdgeError, OverBudget, UnitError
from edge_sdk.memory import budget as budget_module
from edge_sdk.memory.budget import Budget, budget_of, machine_budget

MIB = 1 << 20
NO_GROUP = CgroupMemory(None, None, None, None, None, None)
IDLE = Memory(427 * MIB, 300 * MIB, 200 * MIB, 0, 0, (), ())
ZERO = find_profile("rpi-zero-2w")


def group(limit: int, used: int, reclaimable: int) -> CgroupMemory:
    return CgroupMemory(2, "/x", limit * MIB, used * MIB, reclaimable * MIB, (limit - used + reclaimable) * MIB)


def part(budget: Budget, name: str) -> int:
    return next(item.size_bytes for item in budget.parts if item.name == name)


def test_what_the_user_says_is_the_budget() -> None:
    budget = budget_of("512MB")
    assert (budget.total_bytes, str(budget)) == (512_000_000, "512 MB (as asked)")
    assert budget_of(64 * MIB).total_bytes == 64 * MIB


def test_a_budget_beyond_what_is_free_is_taken_and_doubted(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 437248 kB\nMemAvailable: 100000 kB\n")
    assert budget_of("512MB", root=tmp_path).reason == "as asked, although only 102 MB are free"
    assert budget_of("90MB", root=tmp_path).reason == "as asked"
    assert budget_of("512MB", root=tmp_path, board=ZERO).reason == "as asked for Raspberry Pi Zero 2 W"


def test_nonsense_is_no_budget() -> None:
    with pytest.raises(EdgeError, match="no amount of memory"):
        budget_of("lots")


def test_the_memory_available_less_a_reserve_is_what_there_is() -> None:
    budget = machine_budget(IDLE, NO_GROUP, 0, ZERO)
    assert budget.total_bytes == 300 * MIB - 2 * (427 * MIB // 16)
    assert "memory available" in str(budget)
    assert "reserve for system and camera" in str(budget)
    assert part(budget, "reserve for the camera") == -(427 * MIB // 16)


def test_the_reserve_has_a_ceiling_on_large_boards() -> None:
    large = replace(IDLE, total_bytes=16000 * MIB, available_bytes=8000 * MIB)
    assert machine_budget(large, NO_GROUP, 0).total_bytes == (8000 - 64 - 32) * MIB


def test_a_control_group_with_less_room_decides() -> None:
    budget = machine_budget(IDLE, group(128, 60, 20), 0, ZERO)
    assert budget.total_bytes == (88 - 16) * MIB
    assert "room in the control group" in budget.reason
    assert (
        machine_budget(IDLE, group(4096, 60, 20), 0, ZERO).total_bytes == machine_budget(IDLE, NO_GROUP, 0).total_bytes
    )


def test_the_boards_share_decides_where_everything_is_free() -> None:
    free = replace(IDLE, available_bytes=427 * MIB)
    budget = machine_budget(free, NO_GROUP, 0, ZERO)
    assert "share of the RAM" in budget.reason
    assert part(budget, "share of the RAM") == int(512 * MIB * 0.8)


def test_what_this_process_holds_already_is_part_of_what_it_may_take() -> None:
    without = machine_budget(IDLE, group(128, 60, 20), 0).total_bytes
    assert machine_budget(IDLE, group(128, 60, 20), 30 * MIB).total_bytes == without + 30 * MIB


def test_swap_on_a_card_does_not_count() -> None:
    card = Swap("/var/swap", "file", 512 * MIB, 0, -2, zram=False)
    swapping = replace(IDLE, swap_total_bytes=512 * MIB, swap_free_bytes=512 * MIB, swaps=(card,))
    assert machine_budget(swapping, NO_GROUP, 0) == machine_budget(IDLE, NO_GROUP, 0)


def test_free_room_in_zram_counts_at_a_quarter() -> None:
    packed = Swap("/dev/zram0", "partition", 200 * MIB, 40 * MIB, 100, zram=True)
    budget = machine_budget(replace(IDLE, available_bytes=200 * MIB, swaps=(packed,)), NO_GROUP, 0)
    plain = machine_budget(replace(IDLE, available_bytes=200 * MIB), NO_GROUP, 0)
    assert budget.total_bytes - plain.total_bytes == 40 * MIB == part(budget, "of it zram")


def test_zram_larger_than_memory_counts_no_more_than_a_quarter_of_memory() -> None:
    huge = Swap("/dev/zram0", "partition", 9000 * MIB, 0, 100, zram=True)
    budget = machine_budget(replace(IDLE, available_bytes=50 * MIB, swaps=(huge,)), NO_GROUP, 0)
    assert part(budget, "of it zram") == 427 * MIB // 4


def test_nothing_left_is_nothing_and_not_less() -> None:
    assert machine_budget(replace(IDLE, available_bytes=5 * MIB), NO_GROUP, 0).total_bytes == 0


def test_a_kernel_that_tells_nothing_asks_for_a_word_from_the_user() -> None:
    with pytest.raises(OverBudget, match="could not be read") as caught:
        machine_budget(replace(IDLE, available_bytes=None), NO_GROUP, 0)
    assert "--budget" in (caught.value.fix or "")


def test_a_board_that_is_not_here_is_judged_by_its_ram() -> None:
    budget = budget_of(board=ZERO)
    assert 200 * MIB < budget.total_bytes < 300 * MIB
    assert "512 MB" in budget.reason
    assert ZERO.name in budget.reason
    assert budget.total_bytes == sum(item.size_bytes for item in budget.parts)
    four = find_profile("rpi-4b")
    assert budget_of(board=four, ram_bytes=4096 * MIB).total_bytes > budget_of(board=four).total_bytes


def test_a_board_without_known_ram_asks_for_a_word_from_the_user() -> None:
    with pytest.raises(OverBudget, match="not known"):
        budget_of(board=Profile(id="x", name="X", soc="", architecture="any"))


def test_this_machines_files_are_read_below_a_root(tmp_path: Path) -> None:
    tree = {
        "proc/meminfo": "MemTotal: 437248 kB\nMemFree: 200000 kB\nMemAvailable: 307200 kB\nSwapTotal: 0 kB\n",
        "proc/self/status": "Name: x\nRssAnon:\t   10240 kB\n",
        "proc/device-tree/compatible": "raspberrypi,model-zero-2-w\0brcm,bcm2837\0",
    }
    for name, text in tree.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert budget_of(root=tmp_path).total_bytes == (310 - 2 * 427 / 16) * MIB


def test_a_budget_is_told_as_json() -> None:
    told = machine_budget(IDLE, NO_GROUP, 0).as_json()
    assert told["parts"]
    assert told["board"] is None


def test_a_budget_beyond_the_control_groups_room_is_doubted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n")
    monkeypatch.setattr(budget_module, "read_cgroup", lambda _: group(128, 60, 20))
    assert budget_of("512MB", root=tmp_path).reason == "as asked, although only 92 MB are free"


def test_the_environment_says_how_much_this_machine_may_take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGE_BUDGET", "64MB")
    assert str(budget_of()) == "64 MB (as asked in EDGE_BUDGET)"
    assert budget_of("32MB").total_bytes == 32_000_000
    assert "Zero 2 W" in budget_of(board=ZERO).reason
    monkeypatch.setenv("EDGE_BUDGET", "")
    assert "EDGE_BUDGET" not in budget_of().reason
    monkeypatch.setenv("EDGE_BUDGET", "lots")
    with pytest.raises(UnitError, match="EDGE_BUDGET") as caught:
        budget_of()
    assert "EDGE_BUDGET" in (caught.value.fix or "")


@pytest.mark.parametrize(
    ("ram_bytes", "message"), [(-5, "no amount of RAM"), (0, "no amount of RAM"), (3 << 30, "with 3.2 GB of RAM")]
)
def test_a_board_has_the_ram_that_it_is_sold_with(ram_bytes: int, message: str) -> None:
    board = find_profile("rpi-4b")
    with pytest.raises(EdgeError, match=message):
        budget_of(board=board, ram_bytes=ram_bytes)
    assert budget_of(board=board, ram_bytes=4_000_000_000) == budget_of(board=board, ram_bytes=4 << 30)


def test_ram_says_nothing_without_a_board() -> None:
    with pytest.raises(EdgeError, match="without a board"):
        budget_of(ram_bytes=1 << 30)
