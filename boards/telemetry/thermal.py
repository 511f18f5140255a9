"""Temperatures with the points at which the kernel acts, and the devices it acts with.

Source: https://docs.kernel.org/driver-api/thermal/sysfs-api.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from boards.telemetry.file import Files

__all__ = ["CoolingDevice", "ThermalZone", "Trip", "cooling_now", "find_cooling", "find_zones", "zones_now"]

_FOLDER = "/sys/class/thermal"
# No running chip lies beyond: drivers say "no value" with -274000, Tegra's with -256000 for a block without power.
_COLDEST_MILLIC, _HOTTEST_MILLIC = -60_000, 200_000
_SLOWS = re.compile("cpu|gpu|devfreq|processor|powerclamp|idle|throttle|npu", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trip:
    """A temperature at which the kernel acts."""

    kind: str
    """`active`: a fan; `passive`: slow down; `hot`: tell; `critical`: power off."""
    temperature_c: float


@dataclass(frozen=True, slots=True)
class ThermalZone:
    """A place where temperature is measured."""

    name: str
    kind: str
    """What is measured there, in the driver's words: `cpu-thermal`, `gpu-thermal`."""
    temperature_c: float | None
    trips: tuple[Trip, ...]
    """As they were when the telemetry was set up, the coolest first."""

    @property
    def crossed(self) -> tuple[Trip, ...]:
        """The points that the temperature has reached."""
        now = self.temperature_c
        return () if now is None else tuple(trip for trip in self.trips if now >= trip.temperature_c)


@dataclass(frozen=True, slots=True)
class CoolingDevice:
    """Something the kernel cools with: a fan, or a clock that it lowers."""

    name: str
    kind: str
    state: int | None
    """0 is at rest."""
    max_state: int | None

    @property
    def slows(self) -> bool:
        """Whether it cools by slowing a processor, and not with a fan."""
        return bool(_SLOWS.search(self.kind)) and "fan" not in self.kind.lower()

    @property
    def path(self) -> str:
        """Its state's file, as on the board."""
        return f"{_FOLDER}/{self.name}/cur_state"


def find_zones(files: Files) -> list[ThermalZone]:
    """Find the zones and their trip points; temperatures are left open."""
    zones = []
    for name in files.names(_FOLDER, "thermal_zone[0-9]+"):
        folder = f"{_FOLDER}/{name}"
        zones.append(ThermalZone(name, files.text(f"{folder}/type") or "", None, _trips(files, folder)))
    return zones


def _trips(files: Files, folder: str) -> tuple[Trip, ...]:
    trips = []
    for name in files.names(folder, "trip_point_[0-9]+_temp"):
        at = _celsius(files, f"{folder}/{name}")
        kind = files.text(f"{folder}/{name.removesuffix('temp')}type")
        if at is not None and kind is not None:
            trips.append(Trip(kind, at))
    return tuple(sorted(trips, key=lambda trip: trip.temperature_c))


def zones_now(files: Files, zones: list[ThermalZone]) -> tuple[ThermalZone, ...]:
    """Read the temperatures of the zones that were found."""
    return tuple(
        ThermalZone(zone.name, zone.kind, _celsius(files, f"{_FOLDER}/{zone.name}/temp"), zone.trips) for zone in zones
    )


def _celsius(files: Files, path: str) -> float | None:
    value = files.number(path, least=_COLDEST_MILLIC)
    if value is None:
        return None
    # A thousandth of a degree below zero is no temperature but an error's number.
    if value > _HOTTEST_MILLIC or value == -1:
        files.note(path, f"holds {value}")
        return None
    return value / 1000


def find_cooling(files: Files) -> list[CoolingDevice]:
    """Find the cooling devices; their states are left open."""
    return [
        CoolingDevice(
            name,
            files.text(f"{_FOLDER}/{name}/type") or "",
            None,
            files.number(f"{_FOLDER}/{name}/max_state"),
        )
        for name in files.names(_FOLDER, "cooling_device[0-9]+")
    ]


def cooling_now(files: Files, devices: list[CoolingDevice]) -> tuple[CoolingDevice, ...]:
    """Read the states of the devices that were found."""
    return tuple(
        CoolingDevice(device.name, device.kind, files.number(device.path), device.max_state) for device in devices
    )
