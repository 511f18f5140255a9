"""A way to bytes and back: what every kind of port gives, and the table of kinds."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from firmware_bridge.error import NoDevice

__all__ = ["BY_ID", "KINDS", "Port", "open_port", "resolve"]

BY_ID = Path("/dev/serial/by-id")

KINDS = {
    "/": "firmware_bridge.port.serial_port:open_serial",
    "socket": "firmware_bridge.port.socket_port:open_socket",
    "sim": "firmware_bridge.simulation.address:open_sim",
}
"""Beginning of an address -> module and function, imported when the first such address is opened."""


class Port(Protocol):
    """A stream of bytes in both directions. One thread reads and one writes at a time; `close` comes from any.

    Attributes
    ----------
    name : str
        What messages call it.
    """

    name: str

    def read(self, timeout_s: float) -> bytes:
        """Give what has come, or wait for it; ``b""`` when nothing came in time.

        Raises
        ------
        BridgeError
            When the port is gone.
        """

    def write(self, data: bytes) -> None:
        """Send all of it; raises BridgeError when the port is gone or takes no more bytes."""

    def close(self) -> None:
        """Let go of it within a second, whatever the other side does; twice is harmless."""


def open_port(address: str) -> Port:
    """Open a port by its address.

    Parameters
    ----------
    address : str
        ``/dev/...`` (also a pty, or a link in /dev/serial/by-id; ``?baud=115200`` may follow), ``socket://host:port``
        or ``sim://NAME``.

    Raises
    ------
    NoDevice
        If there is no such device, or no such kind.
    PortBusy
        If another process has it.
    """
    kind = "/" if address.startswith("/") else address.partition("://")[0]
    if kind not in KINDS or (kind != "/" and "://" not in address):
        raise NoDevice(
            f"There is no kind of port for {address!r}.",
            fix="Give /dev/..., socket://host:port, sim:// for a simulated device, or auto.",
        )
    module, _, name = KINDS[kind].partition(":")
    return cast(Port, getattr(import_module(module), name)(address))


def resolve(address: str, by_id: Path = BY_ID) -> str:
    """Give the address to open again and again: a device by its id, which stays when it comes back as another tty.

    Parameters
    ----------
    address : str
        ``auto`` is the one device that is there.

    Raises
    ------
    NoDevice
        If ``auto`` finds none, or more than one.
    """
    links = sorted(by_id.iterdir()) if by_id.is_dir() else []
    if address == "auto":
        return str(_only(links, by_id))
    path, question, options = address.partition("?")
    if path.startswith("/"):
        for link in links:
            if link.resolve() == Path(path).resolve():
                return f"{link}{question}{options}"
    return address


def _only(links: list[Path], by_id: Path) -> Path:
    if len(links) == 1:
        return links[0]
    if links:
        raise NoDevice(
            f"There are {len(links)} serial devices: {', '.join(link.name for link in links)}.",
            why="Which of them to use is not to be guessed.",
            fix=f"Name one: {links[0]}",
        )
    ttys = sorted(str(path) for kind in ("ttyACM*", "ttyUSB*") for path in by_id.parents[1].glob(kind))
    if ttys:
        raise NoDevice(
            f"There is no device in {by_id}, but there is {', '.join(ttys)}.",
            why="This system gives serial devices no names by their id.",
            fix=f"Name it: {ttys[0]}",
        )
    raise NoDevice(
        "There is no serial device.",
        why=f"{by_id} is empty, and there is no /dev/ttyACM* or /dev/ttyUSB*.",
        fix="Plug the microcontroller in, with a cable that carries data; or ask for a simulated one by name: sim://",
    )
