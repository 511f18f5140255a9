"""Threads go by the strong cores, told from what the kernel says of each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from boards.topology import big_processors


def machine(folder: Path, name: str, strengths: list[int | None]) -> Path:
    for number, strength in enumerate(strengths):
        file = folder / f"sys/devices/system/cpu/cpu{number}" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if strength is not None:
            file.write_text(f"{strength}\n")
    (folder / "sys/devices/system/cpu/cpufreq").mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize(
    ("name", "strengths", "big"),
    [
        ("cpu_capacity", [414, 414, 414, 414, 1024, 1024, 1001, 1001], (4, 5, 6, 7)),
        ("cpu_capacity", [1024, 1024, 1024, 1024], (0, 1, 2, 3)),
        ("cpufreq/cpuinfo_max_freq", [1800000] * 4 + [2400000] * 4, (4, 5, 6, 7)),
        ("cpufreq/cpuinfo_max_freq", [1416000, 1416000, 1800000, 1800000, None], (0, 1, 2, 3, 4)),
    ],
)
def test_the_strong_cores_are_found(tmp_path: Path, name: str, strengths: list[int | None], big: tuple[int]) -> None:
    assert big_processors(machine(tmp_path, name, strengths)) == big


def test_a_kernel_that_tells_nothing_makes_all_equal(tmp_path: Path) -> None:
    assert big_processors(tmp_path) == ()
    assert big_processors(machine(tmp_path, "other", [1, 2, 3])) == (0, 1, 2)


def test_here_only_what_this_process_may_use_counts() -> None:
    found = big_processors()
    assert found
    assert set(found) <= os.sched_getaffinity(0)
