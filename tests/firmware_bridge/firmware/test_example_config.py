"""The configurations of the examples are taken by the board they are for, and wired as the how-to says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_board import Fake, fake

from firmware_bridge.firmware.config import check, parse
from firmware_bridge.firmware.dictionary import Dictionary

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "examples/bridge").glob("*.json"))
CHIPS = {"pico": ("rp2", "GP{}"), "esp32": ("esp32", "GPIO {}")}
PIN_KEYS = ("pin", "sda", "scl", "step", "dir", "enable")


def pins(item: Any) -> Iterator[int]:
    """Give every pin that a configuration names."""
    if isinstance(item, dict):
        for key, value in item.items():
            if key in PIN_KEYS:
                yield value
            yield from pins(value)


def test_there_are_examples() -> None:
    assert len(FILES) >= 4


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_board_takes_it(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = parse(path.read_bytes())
    check(config)
    board: Fake = fake(CHIPS[path.stem.partition("-")[0]][0], monkeypatch, tmp_path)
    board.port.check(config)
    parts = board.port.build(config)
    told = Dictionary(parts, config["lease_ms"])
    assert told.raw > 100
    for kind in ("sensors", "outputs", "axes"):
        assert set(getattr(parts, kind)) == set(config.get(kind, {}))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_how_to_names_each_of_its_pins(path: Path) -> None:
    page = (ROOT / "docs/how-to/flash-a-microcontroller.md").read_text()
    for pin in pins(json.loads(path.read_text())):
        name = CHIPS[path.stem.partition("-")[0]][1].format(pin)
        assert re.search(rf"{name}\b", page), name


def test_what_the_rules_of_the_incubator_name_is_there() -> None:
    for path in FILES:
        if path.stem.endswith("incubator"):
            config = json.loads(path.read_text())
            assert {"temperature", "humidity", "door"} <= set(config["sensors"])
            assert {"heater", "fan", "lamp"} <= set(config["outputs"])
