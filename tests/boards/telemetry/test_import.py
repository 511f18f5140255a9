from __future__ import annotations

import subprocess
import sys

import pytest

import boards.telemetry


def test_every_public_name_is_there() -> None:
    assert sorted(boards.telemetry._HOME) == boards.telemetry.__all__
    for name in boards.telemetry.__all__:
        assert getattr(boards.telemetry, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Barometer'"):
        boards.telemetry.Barometer  # noqa: B018


def test_who_asks_for_memory_loads_no_more_than_that() -> None:
    code = (
        "import sys; from boards.telemetry import read_cgroup, read_memory\n"
        "print(sorted(name for name in sys.modules if name.startswith('boards.telemetry.') or name == 'subprocess'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([f"boards.telemetry.{name}" for name in ("cgroup", "file", "memory")])
