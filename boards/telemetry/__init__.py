"""How the machine is: heat, throttling and its cause, clocks, load, memory and its limits, power, wear of the flash.

All of it is read from files of the kernel; no command is run unless asked for. What is not told is None, never guessed.
Names are loaded on first use: who asks only for memory does not pay for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from boards.telemetry.cgroup import CgroupMemory, read_cgroup
    from boards.telemetry.clock import CpuClock, DeviceClock
    from boards.telemetry.energy import EnergyMeter, EnergyReading
    from boards.telemetry.firmware import ask_firmware
    from boards.telemetry.flash import FlashWear
    from boards.telemetry.load import Load, Pressure, Stall
    from boards.telemetry.memory import Memory, Swap, Zram, read_memory
    from boards.telemetry.power import PowerSupply
    from boards.telemetry.reading import Reading, Telemetry
    from boards.telemetry.sign import Cause, Sign
    from boards.telemetry.thermal import CoolingDevice, ThermalZone, Trip

__all__ = [
    "Cause",
    "CgroupMemory",
    "CoolingDevice",
    "CpuClock",
    "DeviceClock",
    "EnergyMeter",
    "EnergyReading",
    "FlashWear",
    "Load",
    "Memory",
    "PowerSupply",
    "Pressure",
    "Reading",
    "Sign",
    "Stall",
    "Swap",
    "Telemetry",
    "ThermalZone",
    "Trip",
    "Zram",
    "ask_firmware",
    "read_cgroup",
    "read_memory",
]

_NAMES = {
    "cgroup": ("CgroupMemory", "read_cgroup"),
    "clock": ("CpuClock", "DeviceClock"),
    "energy": ("EnergyMeter", "EnergyReading"),
    "firmware": ("ask_firmware",),
    "flash": ("FlashWear",),
    "load": ("Load", "Pressure", "Stall"),
    "memory": ("Memory", "Swap", "Zram", "read_memory"),
    "power": ("PowerSupply",),
    "reading": ("Reading", "Telemetry"),
    "sign": ("Cause", "Sign"),
    "thermal": ("CoolingDevice", "ThermalZone", "Trip"),
}
_HOME = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'boards.telemetry' has no attribute {name!r}")
    value = getattr(import_module(f"boards.telemetry.{_HOME[name]}"), name)
    globals()[name] = value
    return value
