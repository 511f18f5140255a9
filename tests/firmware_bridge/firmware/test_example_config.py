"""The configurations of the examples are taken by the board they are for, and wired as the how-to says."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_board import Fake, fake

from edge_sdk.sensors import read_rules
from edge_sdk.sensors.rule_check import check_rules
from firmware_bridge.firmware.config import check, parse
from firmware_bridge.firmware.dictionary import Dictionary
from firmware_bridge.part.dictionary import read_dictionary

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


@pytest.mark.parametrize("board", ["pico", "esp32"])
def test_the_rules_of_the_incubator_can_run_on_it(board: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = parse((ROOT / f"examples/bridge/{board}-incubator.json").read_bytes())
    parts = fake(CHIPS[board][0], monkeypatch, tmp_path).port.build(config)
    told = Dictionary(parts, config["lease_ms"])
    offers = read_dictionary(zlib.decompress(told.data, -zlib.MAX_WBITS))
    check_rules(read_rules(ROOT / "examples/incubator.toml"), offers)
    assert offers.outputs["heater"].most == 0.8
