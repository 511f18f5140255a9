"""A simulated microcontroller: the firmware's own server over a simulated world, behind a line with faults."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable

from firmware_bridge.firmware.files import Files
from firmware_bridge.firmware.server import Server
from firmware_bridge.simulation.fault import BOOT_LOG, FaultPair
from firmware_bridge.simulation.hardware import SimHardware, World

__all__ = ["SimDevice"]

_BOOT_S = 0.3  # dead after a restart
_SOON_S, _IDLE_S = 0.001, 0.005  # between steps, while much is sampled and otherwise; what comes in wakes it


class SimDevice:
    """A microcontroller that runs in this process, as often as it is stepped.

    Parameters
    ----------
    world : World
        What hangs on it; it goes on through restarts.
    faults : FaultPair
        What the line does to what passes.
    clock : callable
        The time in seconds.
    seed : int
        Of its boot numbers.
    ppm : float
        How much faster than `clock` its own clock runs.
    restart_after_s : float
        When it restarts by itself, once; 0 for never.
    """

    def __init__(
        self,
        world: World,
        faults: FaultPair,
        clock: Callable[[], float],
        seed: int = 0,
        ppm: float = 0.0,
        restart_after_s: float = 0.0,
    ) -> None:
        self.world = world
        self.faults = faults
        self.restarts = 0
        self._clock = clock
        self._dice = random.Random(seed)
        self._rate = 1e6 + ppm
        self._folder = tempfile.mkdtemp(prefix="edge-simulation-")
        self._hardware = SimHardware(world, f"sim-{world.name}-{seed}".encode())
        self._restart_at_s = clock() + restart_after_s if restart_after_s else float("inf")
        self._server: Server | None = None
        self._start()

    def put(self, data: bytes) -> None:
        """Take in what the host has written."""
        self.faults.to_device.put(data, self._clock())

    def step(self) -> bytes:
        """Do all that is due by now, and give what reaches the host."""
        now_s = self._clock()
        data = self.faults.to_device.take(now_s)
        if self._server is None and now_s >= self._born_s:
            self._start()
            self.faults.to_host.put(BOOT_LOG[0] + b"\n", now_s)
        if self._server is not None:
            answer = self._server.receive(data) if data else b""
            self._server.poll()
            self.faults.to_host.put(answer, now_s)
            if self._server.restart_wanted or now_s >= self._restart_at_s:
                self.restart()
        return self.faults.to_host.take(now_s)

    def idle_s(self) -> float:
        """Say how long until it should be stepped again."""
        due_s = self.faults.due_s()
        idle_s = _SOON_S if self._server and self._server.pause_us < 1000 else _IDLE_S
        return idle_s if due_s is None else min(idle_s, max(due_s - self._clock(), 0.0))

    def restart(self) -> None:
        """Start anew, as after a power cut: what it knew is lost, its files and the world are not."""
        now_s = self._clock()
        self._restart_at_s = float("inf")
        self._born_s = now_s + _BOOT_S
        self.restarts += 1
        self._stop()

    def close(self) -> None:
        """Make everything safe and remove its files; twice is harmless."""
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        self._born_s = self._clock()
        boot = self._dice.getrandbits(32)
        self._server = Server(self._hardware, Files(self._folder), self._clock_us, boot)

    def _stop(self) -> None:
        """End the server; pins fall back to what they are without power."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for entry, write in self.world.outputs().values():
            safe = entry["safe"]
            write(float(str(safe)))

    def _clock_us(self) -> int:
        return int((self._clock() - self._born_s) * self._rate) & 0xFFFFFFFF
