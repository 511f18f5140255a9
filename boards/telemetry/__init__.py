"""How the machine is: heat, throttling and its cause, clocks, load, memory and its limits, power, wear of the flash.

All of it is read from files of the kernel; no command is run unless asked for. What is not told is None, never guessed.
"""

from boards.telemetry.cgroup import CgroupMemory, read_cgroup
from boards.telemetry.memory import Memory, Swap, Zram, read_memory

__all__ = ["CgroupMemory", "Memory", "Swap", "Zram", "read_cgroup", "read_memory"]
