"""What hangs on a simulated microcontroller, in the form that the firmware's server asks of any hardware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from firmware_bridge.firmware.error import ConfigError
from firmware_bridge.firmware.hardware import Hardware, Parts, Sensor
from firmware_bridge.simulation.stage import StageAxis

__all__ = ["SimHardware", "World"]

_SETTINGS = {
    "sensors": ("period_us",),
    "outputs": ("safe", "lease_ms"),
    "axes": ("least", "most", "speed", "acceleration", "backlash"),
}


class World(Protocol):
    """Something simulated that has sensors and outputs; it may have `axes`, by name, too."""

    @property
    def name(self) -> str:
        """What it is, as the configuration would call it."""

    def sensors(self) -> dict[str, tuple[dict[str, object], Callable[[], float]]]:
        """Give each sensor's entry of the dictionary and what reads it."""

    def outputs(self) -> dict[str, tuple[dict[str, object], Callable[[float], None]]]:
        """Give each output's entry of the dictionary and what sets it."""


class SimSensor(Sensor):
    """A sensor: its entry of the dictionary, and what reads it."""

    def __init__(self, entry: dict[str, Any], read: Callable[[], float]) -> None:
        self.entry = entry
        self.read = read  # type: ignore[method-assign]


class SimOutput:
    """An output: its entry of the dictionary, and what sets it."""

    def __init__(self, entry: dict[str, Any], write: Callable[[float], None]) -> None:
        self.entry = entry
        self.write = write


class SimAxis:
    """An axis: its entry, which a configuration may change, and the motor's pins."""

    burst = 64  # the server's thread may be late: the motor catches up

    def __init__(self, axis: StageAxis) -> None:
        self.entry = dict(axis.entry)
        self.enable, self.pulse, self.at_switch = axis.enable, axis.pulse, axis.at_switch


class SimHardware(Hardware):
    """A board that is none.

    Parameters
    ----------
    world : World
        What hangs on it.
    unique : bytes
        Its number, which tells it from others.
    """

    board = "simulation"

    def __init__(self, world: World, unique: bytes) -> None:
        self._world = world
        self.unique = unique

    def check(self, config: dict[str, Any]) -> None:
        """Check a configuration.

        Raises
        ------
        ConfigError
            If it names what this world does not have, or what cannot be set of it.
        """
        self.build(config)

    def build(self, config: dict[str, Any]) -> Parts:
        """Give the world's parts: all as they are, or those that a configuration names, with its settings."""
        sensors: dict[str, Any] = {
            name: SimSensor(dict(entry), read) for name, (entry, read) in self._world.sensors().items()
        }
        outputs: dict[str, Any] = {
            name: SimOutput(dict(entry), write) for name, (entry, write) in self._world.outputs().items()
        }
        axes: dict[str, Any] = {name: SimAxis(axis) for name, axis in getattr(self._world, "axes", {}).items()}
        if not config:
            return Parts(sensors, outputs, axes)
        return Parts(
            self._choose("sensors", sensors, config),
            self._choose("outputs", outputs, config),
            self._choose("axes", axes, config),
        )

    def restart(self) -> None:
        """Restart: whoever runs the server sees that it wants to."""

    def _choose(self, kind: str, parts: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
        wanted = config.get(kind, {})
        for name, settings in wanted.items():
            if name not in parts:
                there = ", ".join(parts) or "none"
                raise ConfigError(f"{kind}.{name}", f"sim://{self._world.name} has no such part; there is: {there}")
            for setting, value in settings.items():
                if setting not in _SETTINGS[kind] or not isinstance(value, (int, float)):
                    settable = ", ".join(_SETTINGS[kind])
                    raise ConfigError(f"{kind}.{name}.{setting}", f"of a simulated part can be set: {settable}")
            parts[name].entry.update(settings)
        return {name: parts[name] for name in wanted}
