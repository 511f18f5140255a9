from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.error import NoDevice

Run = Callable[..., Any]


@pytest.mark.parametrize(
    "arguments",
    [
        ("read", "temperature", "sim://"),
        ("read", "sim://", "temperature"),
        ("read", "temperature", "--port", "sim://"),
        ("read", "temperature", "--port=sim://"),
    ],
)
def test_an_address_may_stand_anywhere_among_the_arguments(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).stdout.startswith("temperature  2")


def test_it_is_no_name_of_an_axis_and_no_value(run: Run) -> None:
    done = run("home", "sim://stage")
    assert done.exit_code == 2
    assert "Missing argument 'AXIS'" in done.output
    assert "home [OPTIONS] AXIS [ADDRESS]" in done.output
    assert run("home", "sim://stage", "x").stdout.startswith("Homing x: done")
    assert "heater is at 0.5" in run("set", "sim://", "heater", "0.5", "--for", "100ms").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("home", "x", "sim://stage", "--port", "sim://"),
        ("read", "sim://", "temperature", "--port=sim://"),
        ("read", "sim://", "sim://stage"),
        ("info", "sim://", "--port", "sim://"),
    ],
)
def test_two_addresses_are_one_too_many(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert "Two addresses: " in done.output


def test_a_device_that_is_not_there_is_told_for_every_command(run: Run, tmp_path: Path) -> None:
    (tmp_path / "stage.json").write_text("{}")
    commands = (
        ("read", "x"), ("set", "x", "1"), ("move", "x", "1"), ("home", "x"), ("configure", tmp_path / "stage.json"),
        ("update",), ("info",), ("dictionary",), ("stop",), ("clear",), ("confirm",), ("monitor",), ("selftest",),
    )  # fmt: skip
    for command in commands:
        with pytest.raises(NoDevice, match="/dev/ttyNOWHERE"):
            run(*command, "/dev/ttyNOWHERE")


def test_a_file_in_dev_is_a_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda path: str(path) == "/dev/shm/stage.json")
    done = run("configure", "/dev/shm/stage.json", "sim://")
    assert "File '/dev/shm/stage.json' does not exist" in done.output
