"""How the machine is: heat, throttling and its cause, clocks, load, memory and its limits, power, wear of the flash.

All of it is read from files of the kernel; no command is run unless asked for. What is not told is None, never guessed.
"""

from boards.telemetry.cgroup import CgroupMemory, read_cgroup
from boards.telemetry.clock import CpuClock, DeviceClock
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
