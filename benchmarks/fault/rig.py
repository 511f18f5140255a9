"""A microcontroller that writes down what it does, in real MicroPython, behind a line with faults."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/micropython"))

from interpreter import HOW, Interpreter, found

from firmware_bridge.simulation.fault import FaultPair, Faults
from firmware_bridge.simulation.proxy import PtyProxy

__all__ = ["HOW", "Interpreter", "Rig", "found"]

ROOT = Path(__file__).resolve().parents[2]
DEVICE = ROOT / "tests/micropython/recording_device.py"


class Rig:
    """The recording device with a fault proxy in front.

    Parameters
    ----------
    interpreter : Interpreter
        The MicroPython to run it in.
    folder : Path
        Its disk; the port lies in it too.
    faults, to_host : Faults
        What goes wrong both ways, or to the device and to the host.
    seed : int
        Of the faults.
    options : int
        Of the device.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        folder: Path,
        faults: Faults | None = None,
        to_host: Faults | None = None,
        *,
        seed: int = 0,
        **options: int,
    ) -> None:
        self._printed = ""  # all of it, once the device is gone
        disk = folder / "disk"
        disk.mkdir(parents=True)
        self.faults = FaultPair(faults or Faults(), to_host, seed)
        arguments = [f"{name}={value}" for name, value in options.items()]
        self.served = interpreter.serve(DEVICE, *arguments, disk=disk)
        self._near = os.open(self.served.line, os.O_RDWR | os.O_NOCTTY)
        self.proxy = PtyProxy(self._near, self.faults, folder / "port")

    @property
    def port(self) -> str:
        """The port's address; it stays while the tty behind it changes."""
        return str(self.proxy.path)

    def __enter__(self) -> Rig:
        try:
            self.wait(lambda: any("boot" in event for event in self.events()), 20)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the device and its line away."""
        self._printed = self.served.printed()
        self.proxy.close()
        os.close(self._near)
        self.served.close()

    def change(self, faults: Faults) -> None:
        """Put other faults in from now on, both ways."""
        for line in (self.faults.to_device, self.faults.to_host):
            line.faults = faults

    def events(self) -> list[dict[str, Any]]:
        """Give all that the device has written down."""
        printed = self._printed or self.served.printed()
        assert "Traceback" not in printed, printed[-2000:]
        return [json.loads(line) for line in printed.splitlines() if line.startswith("{") and line.endswith("}")]

    def sets(self, name: str) -> list[float]:
        """Give every value that an output was set to, in order, its safe value at first among them."""
        return [event["value"] for event in self.events() if event.get("set") == name]

    def moves(self, axis: str) -> list[int]:
        """Give the steps of every job that an axis ran, in order, those without a step left out."""
        at = [event["pulses"] for event in self.events() if event.get("axis") == axis]
        steps = [after - before for before, after in itertools.pairwise(at)]
        return [step for step in steps if step]

    def wait(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until the device has written something down."""
        end_s = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end_s, self.served.printed()[-2000:]
            time.sleep(0.01)
