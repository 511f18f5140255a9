from __future__ import annotations

import random

import pytest

from edge_sdk.errors import EdgeError
from edge_sdk.units import format_bytes, parse_bytes


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [
        ("512MB", 512_000_000),
        ("512 mb", 512_000_000),
        ("512M", 512_000_000),
        ("0.5GB", 500_000_000),
        ("64KB", 64_000),
        ("64kB", 64_000),
        ("64KiB", 65_536),
        ("1.5GiB", 1_610_612_736),
        ("100Mi", 104_857_600),
        ("4096", 4096),
        ("4096b", 4096),
        (4096, 4096),
        (" 2 GB ", 2_000_000_000),
    ],
)
def test_an_amount_is_read_with_its_unit(written: str | int, size_bytes: int) -> None:
    assert parse_bytes(written) == size_bytes


@pytest.mark.parametrize(
    "written", ["", "MB", "12 elephants", "-5MB", "1e9", "0", "0.2", "5 M B", "1,5GB", "٣MB", True]
)
def test_nonsense_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(EdgeError) as caught:
        parse_bytes(written)
    assert repr(written) in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_more_than_any_machine_has_is_refused() -> None:
    with pytest.raises(EdgeError, match="more memory than there can be"):
        parse_bytes("999999999TB")


@pytest.mark.parametrize(
    ("size_bytes", "written"),
    [(0, "0 bytes"), (999_600, "1 MB"), (9_960_000, "10 MB"), (28_400_000, "28 MB"), (-3_200_000, "-3.2 MB")],
)
def test_an_amount_is_written_short(size_bytes: int, written: str) -> None:
    assert format_bytes(size_bytes) == written


def test_what_is_written_reads_back_as_about_the_same() -> None:
    dice = random.Random(7)
    for _ in range(500):
        size_bytes = int(10 ** dice.uniform(0, 12))
        assert parse_bytes(format_bytes(size_bytes)) == pytest.approx(size_bytes, rel=0.05)
