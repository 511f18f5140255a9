"""What the configuration made: sensors, outputs and axes under one lease, with their dictionary."""

from firmware_bridge.firmware.dictionary import Dictionary
from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.firmware.hardware import NOW
from firmware_bridge.firmware.job import JobBook
from firmware_bridge.firmware.lease import Lease
from firmware_bridge.firmware.motion import Axis
from firmware_bridge.firmware.output import Outputs
from firmware_bridge.wire import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LEASE_MS = 5000  # the longest, where the configuration does not say


class Machine:
    """All that can be read, set and moved.

    Parameters
    ----------
    parts : Parts
        What the hardware built.
    config : dict
        What it was built from.
    lease : Lease
        What everything lives on.
    """

    def __init__(self, parts: "Any", config: "dict[str, Any]", lease: Lease) -> None:
        self.lease = lease
        self.jobs = JobBook()
        self.take(parts, config)

    def take(self, parts: "Any", config: "dict[str, Any]") -> None:
        """Take other parts in place of those that were there, all safe."""
        self.parts = parts
        self.name = config.get("name", "")
        self.lease.longest_ms = config.get("lease_ms", _LEASE_MS)
        self.outputs = Outputs(parts.outputs)
        self.axes = {name: Axis(pins) for name, pins in parts.axes.items()}
        self.dictionary = Dictionary(parts, self.lease.longest_ms)

    @property
    def moving(self) -> bool:
        """Whether an axis moves."""
        return any(axis.moving for axis in self.axes.values())

    def axis(self, name: str) -> Axis:
        """Give an axis by its name.

        Raises
        ------
        FirmwareError
            When there is none.
        """
        if name not in self.axes:
            raise FirmwareError(number.NO_NAME, f"there is no axis {name!r:.40}")
        return self.axes[name]

    def check_name(self, name: object) -> str:
        """Give a name back if it can be read."""
        if isinstance(name, str) and (name in self.parts.sensors or name in self.outputs or name in self.axes):
            return name
        raise FirmwareError(number.NO_NAME, f"there is no {name!r:.40}")

    def read(self, name: str) -> "Any":
        """Give a value: a sensor's, what an output is set to, or where an axis is; an `OSError` of the hardware's."""
        if name in self.outputs:
            return self.outputs.value(name)
        if name in self.axes:
            return self.axes[name].position_um
        return self.parts.sensors[name].read()

    def age(self, name: str) -> "tuple[int, int]":
        """Say how many microseconds ago what `read` gave was so, and how far off that may be either way."""
        sensor = self.parts.sensors.get(name)
        age: tuple[int, int] = NOW if sensor is None else sensor.age()
        return age

    def make_safe(self, why: str) -> None:
        """Stop every axis and set every output to its safe value."""
        try:
            self.outputs.make_safe()
        finally:
            for axis in self.axes.values():
                axis.stop(why)
        self._look()

    def step(self, passed_us: int) -> bool:
        """Let time pass for the axes; tell whether one moves."""
        moves = False
        for axis in self.axes.values():
            if axis.job is not None:
                axis.advance(passed_us)
                moves = True
        return moves

    def advance(self, passed_us: int) -> None:
        """Let time pass for the lease and what lives on it."""
        if self.lease.advance(passed_us):
            self.make_safe("the lease ran out")
        self.outputs.advance(passed_us)
        self._look()

    def close(self) -> None:
        """Make everything safe and let go of the hardware."""
        for axis in self.axes.values():
            axis.close()
        self.outputs.make_safe()
        self.parts.close()

    def _look(self) -> None:
        if self.outputs.why:
            self.lease.fault = self.outputs.why
