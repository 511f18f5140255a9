"""Clocks of the processors and of what else can be slowed: GPU, NPU, memory.

Source: https://docs.kernel.org/admin-guide/pm/cpufreq.html, https://docs.kernel.org/driver-api/devfreq.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from boards.telemetry.file import Files

__all__ = ["Clocks", "CpuClock", "DeviceClock", "cpu_numbers"]

_CPUS = "/sys/devices/system/cpu"
_DEVICES = "/sys/class/devfreq"
# These tell an average over the last tick, and asked and measured are of different moments.
_AVERAGING = ("intel", "amd", "acpi", "cppc", "pcc")
# This one counts cycles for half a millisecond at each read (drivers/cpufreq/tegra194-cpufreq.c, US_DELAY).
_WAITING = ("tegra194",)
_HELD_BACK_SHARE = 0.9
_ASKED, _MEASURED, _LIMIT = "scaling_cur_freq", "cpuinfo_cur_freq", "scaling_max_freq"


@dataclass(frozen=True, slots=True)
class CpuClock:
    """The clock of the processors that share one: a policy, in most cases a cluster."""

    name: str
    cpus: tuple[int, ...]
    driver: str | None
    lowest_hz: int | None
    highest_hz: int | None
    """The most the hardware can."""
    limit_hz: int | None
    """The most allowed now: by the user, by a power mode, or by the kernel against heat."""
    current_hz: int | None
    """What the kernel believes it set."""
    measured_hz: int | None
    """What the hardware says it runs at; needs root on most systems. Where measuring takes long, one policy is measured
    at each reading, in turn, and the others have None."""

    @property
    def held_back(self) -> bool | None:
        """Whether the hardware runs slower than the kernel asked it to; None where that cannot be told."""
        if self.measured_hz is None or self.current_hz is None or (self.driver or "").startswith(_AVERAGING):
            return None
        return self.measured_hz < _HELD_BACK_SHARE * self.current_hz


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """The clock of a device other than a processor."""

    name: str
    current_hz: int | None
    limit_hz: int | None
    """The most allowed now."""
    highest_hz: int | None
    """The most the device can."""


class Clocks:
    """The clocks that were found, with what never changes of them, and whose turn it is to be measured."""

    def __init__(self, files: Files) -> None:
        self._cpus = _find_cpus(files)
        self._devices = _find_devices(files)
        self._turn = 0

    def read_cpus(self, files: Files) -> tuple[CpuClock, ...]:
        """Read the processors' clocks."""
        clocks = []
        for index, (folder, told, known) in enumerate(self._cpus):
            slow = (known.driver or "").startswith(_WAITING)
            mine = not slow or self._turn % len(self._cpus) == index
            clocks.append(_cpu_now(files, folder, told if mine else told - {_MEASURED}, known))
        self._turn += 1
        return tuple(clocks)

    def read_devices(self, files: Files) -> tuple[DeviceClock, ...]:
        """Read the devices' clocks."""
        return tuple(
            DeviceClock(
                device.name,
                files.number(f"{_DEVICES}/{device.name}/cur_freq"),  # 0 where it has no power
                files.number(f"{_DEVICES}/{device.name}/max_freq", least=1),
                device.highest_hz,
            )
            for device in self._devices
        )


def cpu_numbers(text: str) -> tuple[int, ...]:
    """Give the numbers in a list as the kernel writes them.

    >>> cpu_numbers("0-2,5")
    (0, 1, 2, 5)
    >>> cpu_numbers("0 1 4")
    (0, 1, 4)
    """
    numbers: list[int] = []
    for part in re.split(r"[\s,]+", text.strip()):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            numbers.extend(range(int(first), min(int(last or first), int(first) + 4096) + 1))
    return tuple(numbers)


def _find_cpus(files: Files) -> list[tuple[str, frozenset[str], CpuClock]]:
    folders = [f"{_CPUS}/cpufreq/{name}" for name in files.names(f"{_CPUS}/cpufreq", "policy[0-9]+")]
    if not folders:  # before Linux 4.3
        folders = [f"{_CPUS}/{name}/cpufreq" for name in files.names(_CPUS, "cpu[0-9]+")]
        folders = [folder for folder in folders if files.exists(folder)]
    found = []
    seen: set[tuple[int, ...]] = set()
    for folder in folders:
        cpus = cpu_numbers(files.text(f"{folder}/related_cpus") or "")
        if cpus and cpus in seen:
            continue
        seen.add(cpus)
        name = re.sub(r".*/(policy|cpu)([0-9]+).*", r"policy\2", folder)
        driver = files.text(f"{folder}/scaling_driver", optional=True)
        lowest, highest = (_hertz(files, f"{folder}/cpuinfo_{end}_freq") for end in ("min", "max"))
        told = frozenset(files.names(folder)).intersection((_ASKED, _MEASURED, _LIMIT))
        found.append((folder, told, CpuClock(name, cpus, driver, lowest, highest, None, None, None)))
    return found


def _cpu_now(files: Files, folder: str, told: frozenset[str], known: CpuClock) -> CpuClock:
    asked, limit = (_hertz(files, f"{folder}/{name}") if name in told else None for name in (_ASKED, _LIMIT))
    # 0 of a core that is off or was idle all the while.
    measured = _hertz(files, f"{folder}/{_MEASURED}", least=0) or None if _MEASURED in told else None
    if asked and measured and measured < _HELD_BACK_SHARE * asked:
        # The kernel may have lowered it between the two: then the hardware is not held back.
        asked = min(asked, _hertz(files, f"{folder}/{_ASKED}") or asked)
    return CpuClock(known.name, known.cpus, known.driver, known.lowest_hz, known.highest_hz, limit, asked, measured)


def _hertz(files: Files, path: str, *, least: int = 1) -> int | None:
    kilohertz = files.number(path, least=least)
    return None if kilohertz is None else kilohertz * 1000


def _find_devices(files: Files) -> list[DeviceClock]:
    devices = []
    for name in files.names(_DEVICES):
        speeds = cpu_numbers(files.text(f"{_DEVICES}/{name}/available_frequencies", optional=True) or "")
        devices.append(DeviceClock(name, None, None, max(speeds, default=None)))
    return devices
