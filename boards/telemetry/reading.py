"""One reading of everything, and what makes it cheap: the sources are found once."""

from __future__ import annotations

import os
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from boards.telemetry.cgroup import CgroupMemory, cgroup_now, find_hierarchies
from boards.telemetry.clock import Clocks, CpuClock, DeviceClock
from boards.telemetry.file import Files
from boards.telemetry.flash import FlashWear, read_flash
from boards.telemetry.load import Load, Pressure, find_pressures, load_now, pressures_now
from boards.telemetry.memory import Memory, memory_now, zram_names
from boards.telemetry.power import PowerSupply, find_supplies, supplies_now
from boards.telemetry.sign import Cause, Sign
from boards.telemetry.thermal import CoolingDevice, ThermalZone, cooling_now, find_cooling, find_zones, zones_now
from boards.telemetry.throttling import Throttling

__all__ = ["Reading", "Telemetry"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How the machine was at one moment. What it does not tell is None or empty."""

    zones: tuple[ThermalZone, ...]
    cooling: tuple[CoolingDevice, ...]
    throttling: tuple[Sign, ...]
    """What every source says, also that nothing is wrong; empty where no source was found."""
    cpu_clocks: tuple[CpuClock, ...]
    device_clocks: tuple[DeviceClock, ...]
    load: Load | None
    pressures: tuple[Pressure, ...]
    memory: Memory
    cgroup: CgroupMemory
    supplies: tuple[PowerSupply, ...]
    flash: tuple[FlashWear, ...]
    """As at boot: a chip is not asked again."""
    unreadable: tuple[str, ...]
    """Files that were there and could not be read or made no sense, each with the reason."""

    @property
    def hottest(self) -> ThermalZone | None:
        """The zone of the highest temperature."""
        known = [zone for zone in self.zones if zone.temperature_c is not None]
        return max(known, key=lambda zone: zone.temperature_c or 0.0, default=None)

    @property
    def throttled(self) -> bool | None:
        """Whether the machine is slowed down at this moment; None where nothing tells."""
        told = [sign.now for sign in self.throttling if sign.now is not None]
        return any(told) if told else None

    @property
    def causes(self) -> tuple[Cause, ...]:
        """What slows it down at this moment, each cause once."""
        return tuple(dict.fromkeys(sign.cause for sign in self.throttling if sign.now))


class Telemetry:
    """Read how the machine is, again and again, in under 2 ms each time.

    The sources are found when it is made; a device that comes later is not seen, one that goes is named as unreadable.
    Sensors behind a slow bus (a battery gauge on I2C) take as long as the bus does.

    Parameters
    ----------
    root : str or Path
        The folder that stands for `/`. Below `/` itself, files are kept open from one reading to the next: a hundred
        or so on a large board, until `close`.

    Examples
    --------
    >>> with Telemetry() as telemetry:
    ...     reading = telemetry.read()
    >>> reading.memory.available_bytes > 0
    True
    """

    def __init__(self, root: str | Path = "/") -> None:
        self._root = root
        finder = Files(root)
        self._zones = find_zones(finder)
        self._cooling = find_cooling(finder)
        self._throttling = Throttling(finder)
        self._clocks = Clocks(finder)
        self._pressures = find_pressures(finder)
        self._zrams = zram_names(finder)
        self._hierarchies = find_hierarchies(finder)
        self._supplies = find_supplies(finder)
        self._flash = read_flash(finder)
        self._not_found = finder.take_unreadable()
        # Files of a captured tree may be replaced between readings, those of the kernel never are.
        self._files = Files(root, keep=os.path.realpath(root) == "/")
        self._lock = threading.Lock()
        weakref.finalize(self, self._files.close)

    def read(self) -> Reading:
        """Read everything now. It never raises for what is missing or broken: see `Reading.unreadable`."""
        with self._lock:
            files = self._files
            cooling = cooling_now(files, self._cooling)
            clocks = self._clocks.read_cpus(files)
            return Reading(
                zones=zones_now(files, self._zones),
                cooling=cooling,
                throttling=self._throttling.read(files, cooling, clocks),
                cpu_clocks=clocks,
                device_clocks=self._clocks.read_devices(files),
                load=load_now(files),
                pressures=pressures_now(files, self._pressures),
                memory=memory_now(files, self._zrams),
                cgroup=cgroup_now(files, self._hierarchies),
                supplies=supplies_now(files, self._supplies),
                flash=self._flash,
                unreadable=self._not_found + files.take_unreadable(),
            )

    def close(self) -> None:
        """Let go of the files that were kept open; twice is harmless."""
        with self._lock:
            self._files.close()

    def __enter__(self) -> Telemetry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Telemetry of {self._root}: {len(self._zones)} zones, {len(self._cooling)} cooling devices>"
