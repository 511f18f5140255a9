"""What power this machine takes: from the monitors of a Jetson's rails, a battery, or a PC's energy counters.

Apart from `Telemetry`, because a monitor behind a slow bus takes a millisecond or more for each value.

Source: https://docs.kernel.org/hwmon/ina3221.html and https://docs.kernel.org/hwmon/sysfs-interface.html (mV, mA, µW);
https://docs.kernel.org/power/powercap/powercap.html (µJ); https://docs.kernel.org/power/power_supply_class.html.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from boards.telemetry.file import Files

__all__ = ["EnergyMeter", "EnergyReading"]

_HWMON, _POWERCAP, _SUPPLIES = "/sys/class/hwmon", "/sys/class/powercap", "/sys/class/power_supply"


@dataclass(frozen=True, slots=True)
class EnergyReading:
    """What the source told at one moment: the power now, or the energy up to now. What it does not tell is None."""

    power_w: float | None
    energy_j: float | None
    """Counted from some moment on; it begins again at 0 after `wraps_at_j`."""
    wraps_at_j: float | None


class EnergyMeter:
    """The source that tells most: the whole machine before its processor, and one that is measured before a counter.

    Parameters
    ----------
    root : str or Path
        The folder that stands for `/`.

    Attributes
    ----------
    source : str
        What is read, in the driver's words; empty where nothing tells.
    covers : str
        `machine`, `rails` (those that are monitored, added up) or `processor`.

    Examples
    --------
    >>> with EnergyMeter() as meter:
    ...     meter.covers in ("", "machine", "rails", "processor")
    True
    """

    def __init__(self, root: str | Path = "/") -> None:
        self._files = Files(root, keep=os.path.realpath(root) == "/")
        self.source, self.covers = "", ""
        self._read: Callable[[], EnergyReading] = lambda: EnergyReading(None, None, None)
        rails = _find_rails(self._files)
        inlets = {name: paths for name, paths in rails.items() if name.upper().endswith("_IN")}
        zones = _find_zones(self._files)
        psys = {name: path for name, path in zones.items() if name.startswith("psys")}
        battery = _find_battery(self._files)
        if inlets:
            self._take("machine", inlets, lambda: self._rails(inlets))
        elif battery:
            self._take("machine", [battery.rpartition("/")[2]], lambda: self._battery(battery))
        elif psys:
            self._take("machine", psys, lambda: self._counters(psys))
        elif rails:
            self._take("rails", rails, lambda: self._rails(rails))
        elif zones:
            self._take("processor", zones, lambda: self._counters(zones))

    def read(self) -> EnergyReading:
        """Read the source now; it never raises for what is missing or broken."""
        return self._read()

    def take_unreadable(self) -> tuple[str, ...]:
        """Name what was there and could not be read since the last call, as `path: reason`."""
        return self._files.take_unreadable()

    def close(self) -> None:
        """Let go of the files that were kept open; twice is harmless."""
        self._files.close()

    def __enter__(self) -> EnergyMeter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<EnergyMeter: {self.source or 'nothing'}{f' ({self.covers})' if self.covers else ''}>"

    def _take(self, covers: str, names: object, read: Callable[[], EnergyReading]) -> None:
        self.covers, self._read = covers, read
        self.source = ", ".join(names) if isinstance(names, (dict, list)) else ""

    def _rails(self, rails: dict[str, tuple[str, ...]]) -> EnergyReading:
        """Add up rails, each told as volts and amperes or as watts."""
        total_w = 0.0
        for paths in rails.values():
            values = [self._files.number(path, least=-(10**9)) for path in paths]
            known = [abs(value) for value in values if value is not None]
            if len(known) < len(paths):
                return EnergyReading(None, None, None)
            total_w += known[0] / 1e6 if len(known) == 1 else known[0] * known[1] / 1e6
        return EnergyReading(total_w, None, None)

    def _battery(self, folder: str) -> EnergyReading:
        if self._files.text(f"{folder}/status") != "Discharging":  # it is charged: what the machine takes is not told
            return EnergyReading(None, None, None)
        power = self._files.number(f"{folder}/power_now", least=-(10**9), optional=True)
        if power is None:
            volts, amperes = (
                self._files.number(f"{folder}/{name}", least=-(10**9)) for name in ("voltage_now", "current_now")
            )
            return EnergyReading(None if volts is None or amperes is None else abs(volts * amperes) / 1e12, None, None)
        return EnergyReading(abs(power) / 1e6, None, None)

    def _counters(self, zones: dict[str, str]) -> EnergyReading:
        """Add up counters; together they wrap as one only where there is one."""
        told = [self._files.number(f"{folder}/energy_uj") for folder in zones.values()]
        known = [value for value in told if value is not None]
        if len(known) < len(zones):
            return EnergyReading(None, None, None)
        ranges = [self._files.number(f"{folder}/max_energy_range_uj", optional=True) for folder in zones.values()]
        wraps = ranges[0] if len(ranges) == 1 else None
        return EnergyReading(None, sum(known) / 1e6, wraps / 1e6 if wraps else None)


def _find_rails(files: Files) -> dict[str, tuple[str, ...]]:
    """Find the channels of current monitors: by name the files of voltage and current, or of power."""
    rails: dict[str, tuple[str, ...]] = {}
    for chip in files.names(_HWMON, "hwmon[0-9]+"):
        folder = f"{_HWMON}/{chip}"
        name = files.text(f"{folder}/name", optional=True) or ""
        if not name.startswith("ina"):
            continue
        names = files.names(folder)
        for number in "123":
            label = files.text(f"{folder}/in{number}_label", optional=True) or ""
            # The sum of a chip's shunt voltages carries a label too, and is no rail.
            ends = (f"in{number}_input", f"curr{number}_input")
            if label and label != "NC" and set(ends) <= set(names):
                rails[label] = tuple(f"{folder}/{end}" for end in ends)
        if "power1_input" in names:  # chips of one channel, by their own arithmetic
            rails[f"{name} {chip}"] = (f"{folder}/power1_input",)
    return rails


def _find_battery(files: Files) -> str:
    """Find a battery that runs this machine now."""
    for name in files.names(_SUPPLIES):
        folder = f"{_SUPPLIES}/{name}"
        words = {word: files.text(f"{folder}/{word}", optional=True) for word in ("scope", "type", "status")}
        told = set(files.names(folder))
        tells = "power_now" in told or {"voltage_now", "current_now"} <= told
        if tells and words["scope"] != "Device" and (words["type"], words["status"]) == ("Battery", "Discharging"):
            return folder
    return ""


def _find_zones(files: Files) -> dict[str, str]:
    """Find the counters of whole packages and of the whole platform that this user may read."""
    zones: dict[str, str] = {}
    for zone in files.names(_POWERCAP, "intel-rapl:[0-9]+"):
        folder = f"{_POWERCAP}/{zone}"
        name = files.text(f"{folder}/name", optional=True) or zone
        # Since Linux 5.10 only root may: timing others' work by it was an attack (CVE-2020-8694).
        if files.number(f"{folder}/energy_uj", optional=True) is not None:
            zones[name] = folder
    return zones
