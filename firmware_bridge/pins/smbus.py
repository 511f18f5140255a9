"""I2C by smbus2, the one file that imports it, with the functions of MicroPython's bus that the drivers call."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

from boards.errors import EdgeError
from firmware_bridge.error import BridgeError, NoDevice

__all__ = ["I2C"]

_BLOCK = 32  # bytes in a transfer of SMBus, which works on every bus, the kernel's i2c-stub too


class I2C:
    """An I2C bus; threads may share it.

    Parameters
    ----------
    name : str
        As the configuration calls it.
    device : str
        ``/dev/i2c-1``

    Raises
    ------
    NoDevice
        If there is none.
    BridgeError
        If it may not be opened.
    """

    def __init__(self, name: str, device: str) -> None:
        try:
            import smbus2
        except ImportError as error:
            raise EdgeError(
                "smbus2 is not installed.",
                why="Sensors on the board's I2C buses are read through it.",
                fix="pip install smbus2 (or edge-sdk[pins])",
            ) from error
        self._lock = threading.Lock()
        try:
            self._bus = smbus2.SMBus(device)
        except OSError as error:
            raise _explained(name, device, error) from error

    def readfrom_mem(self, address: int, register: int, count: int) -> bytes:
        """Read registers one after the other; an `OSError` when nothing answers."""
        data: list[int] = []
        with self._lock:
            while len(data) < count:
                more = min(_BLOCK, count - len(data))
                data += self._bus.read_i2c_block_data(address, register + len(data), more)
        return bytes(data)

    def writeto_mem(self, address: int, register: int, data: bytes) -> None:
        """Write registers one after the other; an `OSError` when nothing answers."""
        with self._lock:
            for start in range(0, len(data), _BLOCK):
                piece = data[start : start + _BLOCK]
                self._bus.write_i2c_block_data(address, register + start, list(piece))

    def close(self) -> None:
        """Let go of the bus."""
        self._bus.close()


def _explained(name: str, device: str, error: OSError) -> BridgeError:
    if error.errno == errno.ENOENT:
        there = ", ".join(sorted(str(node) for node in Path("/dev").glob("i2c-*")))
        return NoDevice(
            f"There is no {device}, the bus {name}.",
            why=f"There is {there}." if there else "No I2C bus is switched on.",
            fix="Switch it on (on a Raspberry Pi: dtparam=i2c_arm=on in config.txt), and sudo modprobe i2c-dev.",
        )
    if error.errno == errno.EACCES:
        return BridgeError(
            f"{device}, the bus {name}, may not be opened by this user.",
            fix="sudo usermod -aG i2c $USER, then log in again.",
        )
    return BridgeError(f"{device}, the bus {name}, cannot be opened: {error.strerror or error}.")
