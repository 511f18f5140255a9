"""Flashing over the cable, by the real mpremote, on boards that are none; and every way that it can fail."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from board_on_desk import unix
from desk import Desk

from firmware_bridge.bridge import open_bridge
from firmware_bridge.error import BridgeError, BridgeTimeout, NoDevice, NoProtocol, PortBusy, Refused
from firmware_bridge.maintenance import flash as flashing
from firmware_bridge.maintenance import mpremote
from firmware_bridge.maintenance.flash import flash

CONFIG = {
    "v": 1,
    "name": "incubator",
    "outputs": {"lamp": {"kind": "pwm", "pin": 15}},
    "watchdog_ms": 8000,
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Give a board with MicroPython and nothing else."""
    with Desk(unix(), tmp_path / "flash") as desk:
        yield desk


def put(desk: Desk, place: str, text: str) -> None:
    """Write a file on the board."""
    mpremote.evaluate(desk.line, f"with open({place!r}, 'w') as file:\n    file.write({text!r})\nprint(1)")


def test_a_new_board_gets_loader_firmware_and_configuration_and_answers(desk: Desk) -> None:
    told: list[tuple[int, int]] = []
    hello = flash(desk.line, "rp2", CONFIG, progress=lambda sent, whole: told.append((sent, whole)))
    assert (hello.name, hello.slot, hello.trial, hello.state) == ("incubator", "", False, "idle")
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1] > 100_000
    assert [sent for sent, _ in told] == sorted(sent for sent, _ in told)


def test_a_board_that_runs_our_firmware_under_a_watchdog_is_flashed_anew_and_keeps_its_configuration(
    desk: Desk,
) -> None:
    flash(desk.line, None, CONFIG)
    with open_bridge(desk.line) as bridge:
        boot = bridge.look().boot
    hello = flash(desk.line)
    assert hello.name == "incubator"
    assert hello.boot != boot


def test_a_configuration_that_is_wrong_is_told_before_anything_is_done(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**CONFIG, "outputs": {"lamp": {"kind": "lamp", "pin": 15}}}))
    with pytest.raises(Refused, match=r"config.json is wrong: outputs.lamp.kind: 'lamp' is none of"):
        flash("/dev/null", None, path)
    with pytest.raises(Refused, match="The configuration is wrong: outputs: not a map"):
        flash("/dev/null", None, {**CONFIG, "outputs": 1})


def test_a_board_of_another_kind_is_refused_with_its_name(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"(?s)is rp2 \(linux .*\), not esp32.*edge bridge list"):
        flash(desk.line, "esp32")
    with Desk(unix(), tmp_path / "other", chip="esp32") as other:
        assert flash(other.line, "esp32").state == "idle"


def test_a_program_of_the_users_own_is_never_overwritten(desk: Desk) -> None:
    put(desk, "/main.py", "print('mine')\n")
    with pytest.raises(Refused, match=r"has a program of its own: main.py"):
        flash(desk.line)
    assert mpremote.evaluate(desk.line, "import os, json\nprint(json.dumps(os.listdir('/')))") == ["main.py"]


def test_too_little_room_is_told_in_bytes(tmp_path: Path) -> None:
    told = r"has \d+ bytes free; the firmware and its updates take \d+"
    with Desk(unix(), tmp_path / "small", size=1 << 18) as desk, pytest.raises(BridgeError, match=told):
        flash(desk.line)


def test_a_port_that_nobody_answers_on_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpremote, "_QUICK_S", 1.0)
    far, near = pty.openpty()
    tty.setraw(near)
    try:
        with pytest.raises(BridgeTimeout, match=r"has not answered within 1 s"):
            flash(os.ttyname(near))
    finally:
        os.close(far)
        os.close(near)


def test_no_port_and_a_busy_port_are_told_apart(desk: Desk) -> None:
    with pytest.raises(NoDevice, match="There is no /dev/ttyNONE"):
        flash("/dev/ttyNONE")
    fd = os.open(desk.line, os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(PortBusy, match="is in use by another process"):
            flash(desk.line)
    finally:
        os.close(fd)


def test_a_missing_mpremote_names_what_installs_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpremote.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BridgeError, match=r"pip install 'edge-sdk\[flash\]'"):
        flash(desk.line)


@pytest.mark.parametrize(
    ("said", "kind", "what"),
    [
        ("mpremote: could not enter raw repl", NoProtocol, "No MicroPython answers"),
        ("mpremote: failed to access /dev/x (it may be in use by another program)", BridgeError, "cannot be opened"),
        ("OSError: [Errno 28] ENOSPC", BridgeError, "not enough room"),
        ("Traceback\nValueError: odd", BridgeError, "mpremote failed on /dev/x: ValueError: odd"),
        ("", BridgeError, "mpremote failed on /dev/x: nothing"),
    ],
)
def test_what_mpremote_says_is_put_into_words(said: str, kind: type[BridgeError], what: str) -> None:
    error = mpremote._explained("/dev/x", said)
    assert type(error) is kind
    assert what in str(error)
    assert error.fix


def test_an_old_micropython_is_refused(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    monkeypatch.setattr(flashing, "_LEAST", [1, 99])
    with pytest.raises(NoProtocol, match=r"is \d+\.\d+\.\d+; 1\.20 is the oldest"):
        flash(desk.line)


def test_firmware_that_does_not_answer_is_told_with_what_came_instead(
    monkeypatch: pytest.MonkeyPatch, desk: Desk
) -> None:
    monkeypatch.setattr(flashing, "build_image", lambda: b"damaged" * 100)
    monkeypatch.setattr(flashing, "_BACK_S", 3.0)
    with pytest.raises(BridgeTimeout, match=r"(?s)was copied to .* and does not answer.*mpremote connect"):
        flash(desk.line)
