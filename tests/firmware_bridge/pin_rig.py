"""A board's own pins with parts that record, on a clock that stands until it is told to move."""

from __future__ import annotations

from firmware_bridge.firmware.hardware import Output, Parts, Sensor
from firmware_bridge.heartbeat import Heartbeat
from firmware_bridge.pins.pins import Pins


class RecordedSensor(Sensor):
    def __init__(self) -> None:
        self.entry = {"unit": "degC", "least": -40, "most": 85, "period_us": 100_000}
        self.value: float | None = 21.5
        self.broken = False

    def read(self):
        if self.broken:
            raise OSError("the chip at 0x76 does not answer")
        return self.value


class RecordedOutput(Output):
    def __init__(self, safe=0, lease_ms=5000) -> None:
        self.entry = {"unit": "", "least": 0, "most": 1, "safe": safe, "kind": "digital", "lease_ms": lease_ms}
        self.written: list[object] = []
        self.broken = False

    def write(self, value) -> None:
        if self.broken:
            raise OSError(5)
        self.written.append(value)


class Chips:
    def poll(self) -> None:
        pass


class Rig:
    def __init__(self, **settings) -> None:
        self.now_s = 1000.0
        self.heartbeat = Heartbeat(self.clock)
        self.sensor, self.heater, self.fan = RecordedSensor(), RecordedOutput(), RecordedOutput(safe=1, lease_ms=300)
        parts = Parts({"temperature": self.sensor}, {"heater": self.heater, "fan": self.fan})
        parts.buses, parts.chips = {"adc": "a bus"}, Chips()
        settings = {"allow": ("heater", "fan"), **settings}
        self.pins = Pins(parts, {"v": 1}, heartbeat=self.heartbeat, clock=self.clock, **settings)

    def clock(self) -> float:
        return self.now_s

    def run_s(self, seconds: float, *, keeping: bool = True) -> None:
        """Let time pass as the two threads would: the guard every 20 ms, the keeper every 200."""
        for step in range(round(seconds / 0.02)):
            self.now_s += 0.02
            if keeping and step % 10 == 0:
                self.pins.lease.tick()
            self.pins.step()
