"""A service on a stand, and what it tells."""

from __future__ import annotations

from pathlib import Path

from stand import Stand

from edge_sdk.sensors import Service, read_rules
from edge_sdk.sensors.asker import Asker
from edge_sdk.sensors.record import Record
from edge_sdk.sensors.side import Sides

__all__ = ["ALLOW", "Run", "Told"]

ALLOW = """
[allow]
outputs = ["heater", "fan", "lamp"]
[rule.cold]
when = { sensor = "temperature", below = 36.5, rearm_above = 37.0 }
every_s = 4
set = { heater = { value = 1, for_s = 6 } }
"""


class Told(list[Record]):
    def of(self, kind: str) -> list[str]:
        return [record.text for record in self if record.kind == kind]


class Run:
    """A service on a stand."""

    def __init__(self, stand: Stand, path: Path, text: str, *, act: bool = True, asker: Asker | None = None) -> None:
        path.write_text(text)
        self.stand, self.told = stand, Told()
        self.service = Service(
            read_rules(path), Sides([stand.bridge]), self.told.append, act=act, asker=asker, heartbeat=stand.heartbeat,
            clock=stand.time, sleep=stand.run,
        )  # fmt: skip

    def run(self, seconds: float) -> None:
        end_s = self.stand.time.now_s + seconds
        while self.stand.time.now_s < end_s:
            self.service.step()
            self.stand.run(0.1)

    def heater(self) -> float:
        return float(self.stand.device.world._set["heater"])  # type: ignore[attr-defined]
