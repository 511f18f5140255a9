"""New firmware over the link, on a board that is none: loader, slots and server in MicroPython, on littlefs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from board_on_desk import board, firmware, flashed, whole
from desk import Desk

from firmware_bridge.bridge import Bridge, open_bridge
from firmware_bridge.error import BridgeError

NEW = {"version": "0.2.0"}
TRIAL_S = 120


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the flash of a board that was just flashed."""
    return flashed(tmp_path_factory.mktemp("flash"), whole())


@pytest.fixture
def desk(base: Path, tmp_path: Path) -> Iterator[Desk]:
    with board(tmp_path, base) as desk:
        yield desk


@contextlib.contextmanager
def bridge_to(desk: Desk) -> Iterator[Bridge]:
    """Open the bridge as soon as the board has started."""
    for attempt in range(50):
        try:
            bridge = open_bridge(desk.line)
            break
        except BridgeError:
            if attempt == 49:
                raise
    with bridge:
        yield bridge


def runs(bridge: Bridge) -> tuple[str, bool, str]:
    hello = bridge.look()
    return hello.slot, hello.trial, hello.firmware


def test_an_update_runs_on_trial_and_stays_when_it_is_confirmed(desk: Desk) -> None:
    with bridge_to(desk) as bridge:
        assert runs(bridge) == ("", False, "0.1.0")
        bridge.update(firmware("0.2.0"))
        assert runs(bridge) == ("a", True, "0.2.0")
        bridge.confirm()
        bridge.restart()
        assert runs(bridge) == ("a", False, "0.2.0")
        bridge.update(firmware("0.3.0"))
        assert runs(bridge) == ("b", True, "0.3.0")
        bridge.restart()
        assert runs(bridge) == ("a", False, "0.2.0")


@pytest.mark.parametrize(
    "main",
    [
        "raise RuntimeError('broken')\n",
        "def run(slot, trial):\n    raise RuntimeError('broken')\n",
        "match 1:\n    case 1:\n        pass\n",
        "",
    ],
    ids=["at its import", "at its start", "not in MicroPython's syntax", "without run"],
)
def test_firmware_that_breaks_down_at_its_start_is_rolled_back(desk: Desk, main: str) -> None:
    with bridge_to(desk) as bridge:
        with pytest.raises(BridgeError, match="did not come up"):
            bridge.update(firmware("0.2.0", main=main))
        assert runs(bridge) == ("", False, "0.1.0")


def test_a_file_that_is_no_firmware_is_rolled_back(desk: Desk) -> None:
    with bridge_to(desk) as bridge:
        with pytest.raises(BridgeError, match="did not come up"):
            bridge.update(b"no firmware at all" * 100)
        assert runs(bridge) == ("", False, "0.1.0")


@pytest.mark.parametrize("chip", ["rp2", "esp32"])
def test_firmware_that_never_says_hello_is_rolled_back_after_its_time(base: Path, tmp_path: Path, chip: str) -> None:
    with board(tmp_path, base, speed=TRIAL_S / 0.5, chip=chip) as desk, bridge_to(desk) as bridge:
        with pytest.raises(BridgeError, match="did not come up"):
            bridge.update(firmware("0.2.0", main="def run(slot, trial):\n    while True:\n        pass\n"))
        assert runs(bridge) == ("", False, "0.1.0")
        assert desk.starts == 3


def test_firmware_that_nobody_confirms_is_rolled_back_after_its_time(base: Path, tmp_path: Path) -> None:
    with board(tmp_path, base, speed=TRIAL_S / 1.5) as desk, bridge_to(desk) as bridge:
        boot = bridge.update(firmware("0.2.0")).boot
        while bridge.look().boot == boot:
            pass
        assert runs(bridge) == ("", False, "0.1.0")


def test_firmware_that_was_confirmed_runs_on_after_the_time_of_its_trial(base: Path, tmp_path: Path) -> None:
    with board(tmp_path, base, speed=TRIAL_S / 0.7) as desk, bridge_to(desk) as bridge:
        bridge.update(firmware("0.2.0"))
        bridge.confirm()
        boot, clock = bridge.look().boot, bridge._now
        end_s = clock() + 1.0
        while clock() < end_s:
            assert bridge.look().boot == boot


def test_the_power_going_at_any_time_of_an_update_leaves_a_board_that_answers(desk: Desk) -> None:
    image = firmware("0.2.0")
    with bridge_to(desk) as bridge:
        for share in (0.0, 0.3, 0.9, 1.0):

            def cut(sent: int, of: int, share: float = share) -> None:
                if sent >= of * share:
                    desk.cut()
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                bridge.update(image, cut)
            before = desk.starts
            bridge.restart()
            assert runs(bridge) == ("", False, "0.1.0")
            assert desk.starts > before
        bridge.update(image)
        assert runs(bridge) == ("a", True, "0.2.0")


def test_a_board_with_little_memory_starts_and_takes_an_update(base: Path, tmp_path: Path) -> None:
    with board(tmp_path, base, heap_kb=280) as desk, bridge_to(desk) as bridge:
        bridge.update(firmware("0.2.0"))
        bridge.confirm()
        assert runs(bridge) == ("a", False, "0.2.0")


def test_a_confirmed_slot_that_was_damaged_gives_way_to_what_was_flashed(tmp_path: Path) -> None:
    state = b'{"good":"a","trial":"","tried":false}'
    files = {**whole(), "/boot.json": state, "/slot/a": firmware("0.2.0")[:-1] + b"!"}
    with board(tmp_path, flashed(tmp_path, files)) as desk, bridge_to(desk) as bridge:
        assert runs(bridge) == ("", False, "0.1.0")


def test_a_flashed_image_that_was_damaged_does_not_hinder_a_slot_that_is_whole(tmp_path: Path) -> None:
    state = b'{"good":"a","trial":"","tried":false}'
    files = {**whole(), "/boot.json": state, "/slot/a": firmware("0.2.0"), "/slot/factory": b"damaged"}
    with board(tmp_path, flashed(tmp_path, files)) as desk, bridge_to(desk) as bridge:
        assert runs(bridge) == ("a", False, "0.2.0")


@pytest.mark.parametrize("dies_at", [3, 90, 400])
def test_the_power_going_in_the_middle_of_a_write_to_the_flash_leaves_a_board_that_answers(
    base: Path, tmp_path: Path, dies_at: int
) -> None:
    with board(tmp_path, base, dies_at=dies_at) as desk:
        with bridge_to(desk) as bridge, contextlib.suppress(BridgeError):
            bridge.update(firmware("0.2.0"))
        with bridge_to(desk) as bridge:
            assert runs(bridge) in (("", False, "0.1.0"), ("a", True, "0.2.0"))
            bridge.restart()
            assert runs(bridge) == ("", False, "0.1.0")
            bridge.update(firmware("0.3.0"))
            assert runs(bridge) == ("a", True, "0.3.0")
        assert desk.starts > 3


def test_three_ctrl_c_give_the_repl_and_its_reset_the_firmware_again(desk: Desk) -> None:
    import serial

    with bridge_to(desk) as bridge:
        assert bridge.echo("here") == "here"
    with serial.Serial(desk.line, timeout=20) as port:
        port.write(b"\x03\x03\x03")
        assert port.read_until(b">>> ").endswith(b"This is the REPL.\nMicroPython 1.25 on a PC\r\n>>> ")
        port.write(b"\x01import machine\nmachine.reset()\n\x04")
        port.read_until(b"OK")
    with bridge_to(desk) as bridge:
        assert bridge.echo("again") == "again"
