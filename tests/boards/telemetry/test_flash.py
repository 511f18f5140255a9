from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boards.telemetry import FlashWear, Telemetry

Grow = Callable[[dict[str, str]], Path]


def chip(name: str, **values: str) -> dict[str, str]:
    return {f"sys/block/{name}/device/{value}": f"{text}\n" for value, text in values.items()}


# JEDEC JESD84-B51, 7.4.: steps of ten percent from 0x01 on, 0x0B when the rated life is over, 0x00 not defined.
@pytest.mark.parametrize(
    ("life_time", "least", "most"),
    [
        ("0x01 0x01", 0, 10),
        ("0x02 0x05", 40, 50),
        ("0x0a 0x01", 90, 100),
        ("0x0b 0x03", 100, None),
        ("0x00 0x03", 20, 30),
        ("0x00 0x00", None, None),
        ("0xff 0xff", None, None),
    ],
)
def test_the_more_worn_of_the_two_memories_counts(
    tree: Grow, life_time: str, least: int | None, most: int | None
) -> None:
    root = tree(chip("mmcblk0", type="MMC", life_time=life_time, pre_eol_info="0x01"))
    assert Telemetry(root).read().flash == (FlashWear("mmcblk0", "MMC", least, most, "normal"),)


@pytest.mark.parametrize(("word", "spare"), [("0x00", None), ("0x02", "warning"), ("0x03", "urgent"), ("0x77", None)])
def test_the_blocks_in_reserve_are_told_in_words(tree: Grow, word: str, spare: str | None) -> None:
    (wear,) = Telemetry(tree(chip("mmcblk0", type="MMC", pre_eol_info=word))).read().flash
    assert (wear.spare, wear.used_at_least_percent) == (spare, None)


def test_an_sd_card_tells_nothing_and_that_is_no_fault(tree: Grow) -> None:
    reading = Telemetry(tree(chip("mmcblk1", type="SD"))).read()
    assert reading.flash == (FlashWear("mmcblk1", "SD", None, None, None),)
    assert reading.unreadable == ()


def test_boot_areas_and_partitions_are_not_counted_again(tree: Grow) -> None:
    files: dict[str, str] = {}
    for name in ("mmcblk0", "mmcblk0boot0", "mmcblk0rpmb", "mmcblk0p1", "sda", "nvme0n1"):
        files |= chip(name, type="MMC", life_time="0x01 0x01")
    assert [wear.name for wear in Telemetry(tree(files)).read().flash] == ["mmcblk0"]


@pytest.mark.parametrize("text", ["", "worn", "0x0g 1"])
def test_wear_that_makes_no_sense_is_none_and_named(tree: Grow, text: str) -> None:
    reading = Telemetry(tree(chip("mmcblk0", type="MMC", life_time=text))).read()
    assert reading.flash[0].used_at_least_percent is None
    assert [name.partition(":")[0] for name in reading.unreadable] == ["/sys/block/mmcblk0/device/life_time"]
