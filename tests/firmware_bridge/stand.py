"""A bridge with the real server behind it, in one thread and on a clock of its own: nothing sleeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firmware_bridge.bridge import Bridge
from firmware_bridge.error import PortGone
from firmware_bridge.heartbeat import Heartbeat
from firmware_bridge.simulation.address import open_device
from firmware_bridge.simulation.device import SimDevice
from firmware_bridge.wire.message import Message

STEP_S = 0.001


class Time:
    """Seconds that pass when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def answer(asked: Message, **body: Any) -> Message:
    """Answer a request."""
    return Message(asked.op + 1, asked.group, asked.command, asked.sequence, body)


class StandPort:
    """A port to a device that runs while it is waited for."""

    def __init__(self, device: SimDevice, time: Time) -> None:
        self.name = "stand"
        self._device, self._time = device, time
        self.gone = False
        self.closed = False

    def read(self, timeout_s: float) -> bytes:
        end_s = self._time.now_s + timeout_s
        while True:
            self._check()
            data = self._device.step()
            if data or self._time.now_s >= end_s:
                return data
            self._time.now_s += STEP_S

    def write(self, data: bytes) -> None:
        self._check()
        self._device.put(data)

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.gone or self.closed:
            raise PortGone("stand is gone.")


class Stand:
    """All of it.

    Attributes
    ----------
    bridge, device, time, heartbeat
        What there is.
    ports : list of StandPort
        All that were opened, the newest last.
    """

    def __init__(self, address: str = "sim://incubator", *, allow: tuple[str, ...] = (), dry_run: bool = False) -> None:
        self.time = Time()
        self.device = open_device(address, self.time)
        self.heartbeat = Heartbeat(self.time)
        self.ports: list[StandPort] = []
        self.refuse: Callable[[], None] = lambda: None
        self.bridge = Bridge(
            self._open, address, allow=allow, dry_run=dry_run, heartbeat=self.heartbeat, clock=self.time,
            sleep=self.run,
        )  # fmt: skip

    def _open(self) -> StandPort:
        self.refuse()
        self.ports.append(StandPort(self.device, self.time))
        return self.ports[-1]

    def open(self) -> Stand:
        self.bridge.open(attended=False)
        return self

    def run(self, seconds: float, *, renew: bool = True) -> None:
        """Let time pass, with the lease renewed and the device running."""
        end_s = self.time.now_s + seconds
        while self.time.now_s < end_s:
            if renew and self.time.now_s >= getattr(self, "_due_s", 0.0):
                self._due_s = self.time.now_s + 0.2
                self.bridge.lease.tick()
            self.device.step()
            self.time.now_s += STEP_S

    def unplug(self) -> None:
        self.ports[-1].gone = True

    def close(self) -> None:
        self.bridge.close()
        self.device.close()
