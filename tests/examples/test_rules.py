"""The rules of the examples on pins, run on a bus with a chip that is not there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.sensors import Service, read_rules
from edge_sdk.sensors.record import Record
from edge_sdk.sensors.side import Sides
from firmware_bridge.heartbeat import Heartbeat
from firmware_bridge.pins.config import read_config
from firmware_bridge.pins.parts import PinParts
from firmware_bridge.pins.pins import Pins
from firmware_bridge.pins.place import Place

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "firmware_bridge/driver"))

from device import bme280, bme280_measured

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted(path for path in (ROOT / "examples").glob("*.toml") if read_rules(path).pins)


class Header:
    """Places that are all there."""

    def find(self, name: str, item: dict[str, Any]) -> Place:
        return Place("/dev/gpiochip0", "pinctrl-rp1", item["pin"])


class Desk:
    """An incubator's pins in a dry run, on a clock that stands until it is told to move."""

    def __init__(self, path: Path) -> None:
        self.now_s = 1000.0
        rules, heartbeat = read_rules(path), Heartbeat(self.clock)
        config = read_config(rules.pins)
        parts = PinParts(config, Header(), idle=True)  # type: ignore[arg-type]
        self.pins = Pins(
            parts, config, allow=rules.outputs, dry_run=True, heartbeat=heartbeat, clock=self.clock
        )  # fmt: skip
        self.told: list[Record] = []
        self.service = Service(rules, Sides([self.pins]), self.told.append, heartbeat=heartbeat, clock=self.clock)

    def clock(self) -> float:
        return self.now_s

    def run(self, seconds: float) -> list[str]:
        """Let time pass, and give what would have been done in it."""
        before = len(self.pins.actions)
        for _ in range(round(seconds / 0.1)):
            self.service.step()
            self.now_s += 0.1
        return [f"{action.name} {action.value:g}" for action in self.pins.actions[before:]]


@pytest.fixture(params=RULES, ids=lambda path: path.stem)
def desk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Desk, Any]]:
    bus = bme280()
    monkeypatch.setattr("firmware_bridge.pins.parts.I2C", lambda name, device: bus)
    made = Desk(request.param)
    yield made, bus
    made.pins.close()


def test_there_is_an_example_of_rules_on_pins() -> None:
    assert RULES


def test_it_heats_while_it_is_cold_and_ventilates_while_it_is_moist(desk: tuple[Desk, Any]) -> None:
    made, bus = desk
    assert made.run(7.9) == ["heater 1", "heater 1"]  # the datasheet's example has 25 degrees
    bme280_measured(bus, temperature=560_000)
    assert made.run(2) == ["heater 0"]
    bme280_measured(bus, temperature=560_000, humidity=45_000)
    assert made.run(3) == ["fan 1"]
    assert [record.text for record in made.told if record.kind == "problem"] == []
