"""Serial ports by pyserial: opened for one process alone, with nothing done that resets a board."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import termios
from pathlib import Path
from typing import Any

from boards.errors import EdgeError
from firmware_bridge.error import BridgeError, NoDevice, PortBusy
from firmware_bridge.port.descriptor_port import DescriptorPort
from firmware_bridge.port.holder import holders

__all__ = ["open_serial"]

_BAUD = 115_200


def open_serial(address: str) -> DescriptorPort:
    """Open ``/dev/...``, with ``?baud=`` behind it where the line's speed matters (over USB it does not).

    Raises
    ------
    NoDevice
        If there is no such device, or it is none.
    PortBusy
        If another process has it; its name is told where the system tells it.
    """
    path, _, options = address.partition("?")
    port = _open(path, _baud(address, options))
    # Closing would drop DTR and RTS otherwise, and raising them anew resets many boards.
    with contextlib.suppress(termios.error):
        settings = termios.tcgetattr(port.fd)
        settings[2] &= ~termios.HUPCL
        termios.tcsetattr(port.fd, termios.TCSANOW, settings)
    with contextlib.suppress(ValueError, OSError):  # FTDI's driver waits 16 ms for more bytes; a pty has no such mode
        port.set_low_latency_mode(True)
    exclusive = not os.path.realpath(path).startswith("/dev/pts/")  # a pty would stay so for as long as its other end
    if exclusive:
        with contextlib.suppress(OSError):
            fcntl.ioctl(port.fd, termios.TIOCEXCL)  # programs that take no lock are refused too

    def let_go() -> None:
        with contextlib.suppress(termios.error, OSError):
            termios.tcflush(port.fd, termios.TCIOFLUSH)  # else closing waits for bytes that nobody takes, half a minute
        with contextlib.suppress(OSError):
            port.close()

    return DescriptorPort(path, port.fd, let_go)


def _baud(address: str, options: str) -> int:
    name, _, value = options.partition("=")
    if not options:
        return _BAUD
    if name != "baud" or not value.isdecimal():
        raise NoDevice(f"{address!r} is no address of a serial port.", fix="Give it as /dev/ttyUSB0?baud=115200")
    return int(value)


def _open(path: str, baud: int) -> Any:  # a serial.Serial
    try:
        import serial
    except ImportError as error:
        raise EdgeError("pyserial is not installed.", fix="pip install pyserial") from error
    try:
        # DTR and RTS stay as the kernel raises them, both at once: that resets no ESP32, and MicroPython over USB waits
        # for DTR before it sends.
        return serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as error:
        raise _explained(path, error) from error


def _explained(path: str, error: Exception) -> BridgeError:
    number = getattr(error, "errno", None)
    if number in (errno.EAGAIN, errno.EBUSY):
        told = holders(path)
        return PortBusy(
            f"{path} is in use by another process.",
            why=f"It is held by {', '.join(told)}." if told else "Which one, the system does not tell.",
            fix="Close that program, then try again. A port belongs to one process at a time.",
        )
    if number == errno.EACCES:
        return BridgeError(
            f"{path} may not be opened by this user.",
            fix="sudo usermod -aG dialout $USER, then log in again.",
        )
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or not Path(path).exists():
        return NoDevice(
            f"There is no {path}.",
            why="The device is not plugged in, or has another name now.",
            fix="edge bridge list shows what is there.",
        )
    return BridgeError(
        f"{path} cannot be opened as a serial port: {error}", fix="edge bridge list shows what is there."
    )
