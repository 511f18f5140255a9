from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAME = "usb-MicroPython_Board_in_FS_mode_e66138528361-if00"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a machine with a Pico at /dev/ttyACM0."""
    root = tmp_path / "root"
    usb, tty = root / "sys/bus/usb/devices/1-1", root / "sys/class/tty/ttyACM0"
    for folder in (usb / "1-1:1.0", tty, root / "dev/serial/by-id", root / "proc"):
        folder.mkdir(parents=True)
    for name, text in (("idVendor", "2e8a\n"), ("idProduct", "0005\n"), ("product", "Board in FS mode\n")):
        (usb / name).write_text(text)
    (tty / "device").symlink_to(usb / "1-1:1.0")
    (root / "dev/ttyACM0").touch()
    (root / f"dev/serial/by-id/{NAME}").symlink_to("../../ttyACM0")
    return root


def test_a_device_has_its_lasting_name_and_what_it_is(run: Callable[..., Any], root: Path) -> None:
    assert run("list", "--root", root).stdout.splitlines() == [
        f"/dev/serial/by-id/{NAME}",
        "    Board in FS mode (USB 2e8a:0005), /dev/ttyACM0",
        "    free",
    ]


def test_as_json_the_usb_number_stands_alone(run: Callable[..., Any], root: Path) -> None:
    (told,) = json.loads(run("list", "--root", root, "--json").stdout)
    assert told["usb_id"] == "2e8a:0005"
    assert told["names"] == [f"/dev/serial/by-id/{NAME}"]
    assert told["held_by"] == []
    assert told["fix"] is None


def test_who_has_it_is_named(run: Callable[..., Any], root: Path) -> None:
    (root / "proc/812/fd").mkdir(parents=True)
    (root / "proc/812/fd/3").symlink_to("/dev/ttyACM0")
    (root / "proc/812/comm").write_text("minicom\n")
    assert "in use by minicom (pid 812)" in run("list", "--root", root).stdout


def test_one_that_may_not_be_opened_names_the_group(
    run: Callable[..., Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = root / "dev/ttyACM0"
    node.chmod(0o660)
    (root / "etc").mkdir()
    (root / "etc/group").write_text(f"dialout:x:{node.stat().st_gid}:\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(os, "getgroups", list)
    monkeypatch.setattr(os, "getegid", lambda: 4242)
    assert "may not be opened by this user -> sudo usermod -aG dialout $USER" in run("list", "--root", root).stdout


def test_none_says_what_to_do(run: Callable[..., Any], tmp_path: Path) -> None:
    done = run("list", "--root", tmp_path)
    assert done.exit_code == 0
    assert "Plug the microcontroller in" in done.stdout
    assert json.loads(run("list", "--root", tmp_path, "--json").stdout) == []


def test_nothing_is_opened_unasked(run: Callable[..., Any], root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("edge_sdk.cli.bridge.ports._answers", lambda port: opened.append(port.node))
    run("list", "--root", root)
    assert opened == []
    run("list", "--root", root, "--probe")
    assert opened == ["/dev/ttyACM0"]
