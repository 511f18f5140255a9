"""Whether the machine is slowed down, and by what: the firmware, over-current counters, cooling devices, clocks."""

from __future__ import annotations

from dataclasses import replace

from boards.telemetry.clock import CpuClock
from boards.telemetry.file import Files
from boards.telemetry.firmware import find_firmware, firmware_signs
from boards.telemetry.sign import Cause, Sign
from boards.telemetry.thermal import CoolingDevice

__all__ = ["Throttling"]

_CPUS = "/sys/devices/system/cpu"
_HWMON = "/sys/class/hwmon"
_HELD_BACK = "the hardware runs slower than the kernel asked: {measured} instead of {asked} MHz"


class Throttling:
    """The sources that were found, and what they said before: a counter tells of now only by having grown."""

    def __init__(self, files: Files) -> None:
        self._firmware = find_firmware(files)
        self._alarms: list[str] = []
        self._counters: list[tuple[Cause, str]] = []
        for chip in files.names(_HWMON):
            folder = f"{_HWMON}/{chip}"
            name = files.text(f"{folder}/name", optional=True)
            if name == "rpi_volt" and files.exists(f"{folder}/in0_lcrit_alarm"):
                self._alarms.append(f"{folder}/in0_lcrit_alarm")
            for counter in files.names(folder, "oc[0-9]+_event_cnt"):
                # The first of Orin's three is the supply's voltage, the others average and peak current. Source: NVIDIA
                # Jetson Linux Developer Guide, Jetson Orin series, over-current throttling.
                volts = name == "soctherm_oc" and counter.startswith("oc1_")
                self._counters.append(("under-voltage" if volts else "current", f"{folder}/{counter}"))
        self._cpu_counters = _cpu_counters(files)
        self._counts: dict[str, int] = {}
        self._seen: set[tuple[Cause, str]] = set()

    def read(self, files: Files, cooling: tuple[CoolingDevice, ...], clocks: tuple[CpuClock, ...]) -> tuple[Sign, ...]:
        """Read all signs, those of nothing wrong too."""
        signs = [*self._firmware_signs(files), *self._counter_signs(files)]
        for device in cooling:
            if device.slows and device.state is not None:
                detail = f"{device.kind} at {device.state} of {'?' if device.max_state is None else device.max_state}"
                signs.append(Sign("heat", device.state > 0, None, device.path, detail))
        for clock in clocks:
            if clock.held_back is not None:
                told = {"measured": (clock.measured_hz or 0) // 10**6, "asked": (clock.current_hz or 0) // 10**6}
                detail = _HELD_BACK.format(**told) if clock.held_back else ""
                signs.append(Sign("unknown", clock.held_back, None, f"{_CPUS}/cpufreq/{clock.name}", detail))
        self._seen.update((sign.cause, sign.source) for sign in signs if sign.now)
        return tuple(
            replace(sign, since_boot=True) if (sign.cause, sign.source) in self._seen else sign for sign in signs
        )

    def _firmware_signs(self, files: Files) -> list[Sign]:
        signs: list[Sign] = []
        if self._firmware:
            bits = files.number(self._firmware, base=16)
            if bits is not None:
                # The driver behind the alarm has the earlier bits cleared every two seconds (raspberrypi-hwmon.c).
                signs.extend(firmware_signs(bits, self._firmware, whole_boot=not self._alarms))
        for path in self._alarms:
            alarm = files.number(path)
            if alarm is not None:
                signs.append(Sign("under-voltage", alarm > 0, None, path, ""))
        return signs

    def _counter_signs(self, files: Files) -> list[Sign]:
        signs = [self._counted(files, cause, path, [path]) for cause, path in self._counters]
        signs.append(self._counted(files, "heat", f"{_CPUS}/cpu*/thermal_throttle", self._cpu_counters))
        return [sign for sign in signs if sign]

    def _counted(self, files: Files, cause: Cause, source: str, paths: list[str]) -> Sign | None:
        counts = {path: count for path in paths if (count := files.number(path)) is not None}
        if not counts:
            return None
        grown = [count > self._counts[path] for path, count in counts.items() if path in self._counts]
        self._counts.update(counts)
        total = sum(counts.values())
        return Sign(cause, any(grown) if grown else None, total > 0, source, f"{total} events since boot")


def _cpu_counters(files: Files) -> list[str]:
    """Find the counters of a PC's cores, and of each package once: all of its cores show the same."""
    paths = []
    packages = set()
    for cpu in files.names(_CPUS, "cpu[0-9]+"):
        folder = f"{_CPUS}/{cpu}"
        names = files.names(f"{folder}/thermal_throttle", "(core|package)_throttle_count")
        package = files.text(f"{folder}/topology/physical_package_id", optional=True) if names else None
        if package in packages and "package_throttle_count" in names:
            names.remove("package_throttle_count")
        if names:
            packages.add(package)
        paths += [f"{folder}/thermal_throttle/{name}" for name in names]
    return paths
