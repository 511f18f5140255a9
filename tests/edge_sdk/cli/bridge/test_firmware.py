from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.bridge import Bridge, open_bridge
from firmware_bridge.error import BridgeError, NoDevice
from firmware_bridge.maintenance.image import build_image, read_image
from firmware_bridge.session.hello import Hello


@pytest.fixture
def updated(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give what a bridge was told to do with new firmware, which it then runs in slot b."""
    done: list[Any] = []

    def update(bridge: Bridge, image: bytes | Path, progress: Callable[[int, int], None]) -> Hello:
        progress(1, 2)
        done.append(image)
        return replace(bridge.info, slot="b", trial=True, firmware="9.9")

    monkeypatch.setattr(Bridge, "update", update)
    monkeypatch.setattr(Bridge, "confirm", lambda bridge: done.append("confirmed"))
    return done


def test_an_update_that_answers_is_kept(run: Callable[..., Any], updated: list[Any], tmp_path: Path) -> None:
    image = tmp_path / "new.slot"
    image.write_bytes(build_image({"firmware_bridge/__init__.py": ""}))
    text = run("update", image, "--port", "sim://").stdout
    assert text == "Firmware 9.9 runs in slot b in place of 0.1.0, and is kept.\n"
    assert updated == [image.read_bytes(), "confirmed"]


def test_a_file_that_is_no_firmware_is_refused_before_anything_is_sent(
    run: Callable[..., Any], updated: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"no firmware")
    with pytest.raises(BridgeError, match="This is no firmware for a slot"):
        run("update", tmp_path / "photo.jpg", "--port", "sim://")
    assert updated == []


def test_without_an_image_this_versions_firmware_is_sent(run: Callable[..., Any], updated: list[Any]) -> None:
    run("update", "--port", "sim://")
    assert read_image(updated[0]).keys() >= {"firmware_bridge/firmware/server.py"}


def test_an_update_on_trial_is_not_confirmed(run: Callable[..., Any], updated: list[Any]) -> None:
    assert "on trial: the next start" in run("update", "--trial", "--port", "sim://").stdout
    assert "confirmed" not in updated


def test_firmware_on_trial_is_kept_by_confirm(run: Callable[..., Any], updated: list[Any]) -> None:
    assert run("confirm", "sim://").stdout == "Firmware 0.1.0 is kept.\n"
    assert updated == ["confirmed"]


def test_flashing_tells_what_runs_and_what_is_next(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def flashed(port: str, board: str | None, config: Path | None, *, progress: Callable[[int, int], None]) -> Hello:
        progress(0, 1)
        asked.append((port, board, config))
        with open_bridge("sim://") as bridge:
            return bridge.info

    monkeypatch.setattr("edge_sdk.cli.bridge.firmware.write_flash", flashed)
    lines = run("flash", "/dev/ttyACM7", "--board", "rp2").stdout.splitlines()
    assert lines[0] == "Firmware 0.1.0 runs on simulation, no configuration yet."
    assert lines[1].startswith("Next: edge bridge configure FILE")
    assert asked == [("/dev/ttyACM7", "rp2", None)]


def test_a_port_to_flash_that_is_not_there_is_told(run: Callable[..., Any]) -> None:
    with pytest.raises(NoDevice):
        run("flash", "/dev/ttyACM99")


def test_a_simulated_board_cannot_be_flashed(run: Callable[..., Any]) -> None:
    assert run("flash", "sim://").exit_code == 2


def test_an_image_that_is_not_there_is_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    assert run("update", tmp_path / "none.slot", "--port", "sim://").exit_code == 2
