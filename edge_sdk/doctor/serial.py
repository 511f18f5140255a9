"""Checks of serial ports. None of them is opened: that resets many a board behind them, in the middle of its work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from boards.telemetry.file import Files
from edge_sdk.doctor.finding import Finding, failure, nothing, ok, warning
from edge_sdk.doctor.surroundings import Surroundings

__all__ = ["SerialPort", "find_ports", "serial_modemmanager", "serial_permission", "serial_ports"]

_TTYS = "/sys/class/tty"
_USB = "/sys/bus/usb/devices"
# USB makers of serial converters, and the kernel's driver for them. Source: Linux' drivers/usb/serial.
_DRIVERS = {"1a86": "ch341", "10c4": "cp210x", "0403": "ftdi_sio", "067b": "pl2303"}
_CDC, _CDC_ACM, _VENDOR = "02", "02", "ff"
_PLUG = "For a board on USB: take a cable that carries data; sudo dmesg | tail shows what the kernel says."
_CONSOLE = (
    "Take console=... of that port out of the kernel's command line (sudo raspi-config: Serial Port), then restart."
)
_AGAIN = "then pull its plug and put it in again."
_SERVICES = {
    "ModemManager": (
        "ModemManager runs: it talks to every new serial port for some seconds, to see whether it is a modem.",
        "sudo systemctl disable --now ModemManager",
    ),
    "brltty": (
        "brltty runs: it takes converters with a CH340 chip for a Braille display, and they vanish.",
        "sudo apt remove brltty",
    ),
}


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial port.

    Attributes
    ----------
    node : str
        ``/dev/ttyACM0``.
    usb : bool
        Whether it is on USB.
    what : str
        In words.
    usb_id : str
        Maker and product of what is on USB, as ``2e8a:0005``; empty where that is not told.
    """

    node: str
    usb: bool
    what: str
    usb_id: str = ""


def serial_ports(here: Surroundings) -> Iterator[Finding]:
    """List the ports, and devices that should be ports."""
    ports, consoles = find_ports(here), _consoles(here)
    for port in ports:
        if not here.path(port.node).exists():
            fix = "sudo udevadm trigger --subsystem-match=tty, or pull the plug and put it in again."
            yield failure(f"The kernel has {port.what}, but {port.node} is missing.", fix)
            continue
        if not port.usb and port.node in consoles:
            yield warning(f"{port.node}: {port.what}, but the kernel's console talks on it.", _CONSOLE)
            continue
        busy = here.holders(port.node)
        yield ok(f"{port.node}: {port.what}{f', in use by {busy[0]}' if busy else ''}.")
    driverless = list(_driverless(here.files))
    for what, driver in driverless:
        yield failure(
            f"{what} is plugged in, but is no serial port: it has no driver.", f"sudo modprobe {driver}, {_AGAIN}"
        )
    if not ports and not driverless:
        notes = ", ".join(f"{port.device} ({port.note or port.where})" for port in here.board.profile.uarts)
        yield nothing(f"There is none{f'; the board can have {notes}' if notes else ''}.", _PLUG)


def serial_permission(here: Surroundings) -> Iterator[Finding]:
    """Look whether this user may open the ports."""
    ports = [port for port in find_ports(here) if here.path(port.node).exists()]
    locked = [port for port in ports if not here.may_use(port.node)]
    for port in locked:
        yield failure(f"This user may not open {port.node}.", here.group_fix(port.node))
    if not ports:
        yield nothing("There is no serial port.")
    elif not locked:
        yield ok(f"This user may open {', '.join(port.node for port in ports)}.")


def serial_modemmanager(here: Surroundings) -> Iterator[Finding]:
    """Look for services that take serial ports."""
    found = [name for name in _SERVICES if here.running(name)]
    for name in found:
        yield warning(*_SERVICES[name])
    if not found:
        yield ok("Neither ModemManager nor brltty runs.")


def find_ports(here: Surroundings) -> list[SerialPort]:
    """Give USB's ports, and those that the board's profile names and that are there."""
    files = here.files
    found = []
    for name in files.names(_TTYS, "tty(ACM|USB)[0-9]+"):
        device = here.path(f"{_TTYS}/{name}/device").resolve()
        # A converter's port lies one level deeper than that of a board with USB of its own.
        told = next((folder for folder in (device, *device.parents) if (folder / "idVendor").exists()), None)
        what, usb_id = (_described(Files(told), ""), _usb_id(Files(told), "")) if told else ("a USB serial port", "")
        found.append(SerialPort(f"/dev/{name}", True, what, usb_id))
    for port in here.board.profile.uarts:
        if here.files.exists(port.device):
            found.append(SerialPort(port.device, False, f"the board's own, {port.where}"))
    return found


def _consoles(here: Surroundings) -> set[str]:
    """Give the nodes that the kernel's console uses; where the board has a plug of its own for that, it is meant so."""
    named = re.findall(r"\bconsole=(tty[A-Z]+\d+|serial\d)", here.files.text("/proc/cmdline", optional=True) or "")
    meant = {port.device for port in here.board.profile.uarts if "pins" not in port.where}
    # serial0 is a link of Raspberry Pi OS.
    nodes = {f"/dev/{here.path(f'/dev/{name}').resolve().name}" for name in named}
    return nodes - meant


def _driverless(files: Files) -> Iterator[tuple[str, str]]:
    """Find devices on USB that should be serial ports and have no driver; with the driver's name."""
    for name in files.names(_USB, r"[0-9]+-[0-9.]+:[0-9]+\.[0-9]+"):
        folder, device = f"{_USB}/{name}", f"{_USB}/{name.partition(':')[0]}"
        if files.exists(f"{folder}/driver"):
            continue
        kind = files.text(f"{folder}/bInterfaceClass", optional=True)
        maker = files.text(f"{device}/idVendor", optional=True) or ""
        if kind == _CDC and files.text(f"{folder}/bInterfaceSubClass", optional=True) == _CDC_ACM:
            yield _described(files, device), "cdc_acm"
        elif kind == _VENDOR and maker in _DRIVERS:
            yield _described(files, device), _DRIVERS[maker]


def _described(files: Files, folder: str) -> str:
    name = files.text(f"{folder}/product", optional=True)
    return f"{name or 'a device'} (USB {_usb_id(files, folder)})"


def _usb_id(files: Files, folder: str) -> str:
    return ":".join(files.text(f"{folder}/{part}", optional=True) or "" for part in ("idVendor", "idProduct"))
