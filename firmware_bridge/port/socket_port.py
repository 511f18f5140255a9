"""A serial line behind a network socket, as ser2net and many bridges offer it."""

from __future__ import annotations

import contextlib
import socket

from firmware_bridge.error import BridgeError, NoDevice
from firmware_bridge.port.descriptor_port import DescriptorPort

__all__ = ["open_socket"]

_CONNECT_S = 3.0


def open_socket(address: str) -> DescriptorPort:
    """Connect to ``socket://host:port``.

    Raises
    ------
    NoDevice
        If the address is none.
    BridgeError
        If nobody answers there.
    """
    host, _, number = address.removeprefix("socket://").rpartition(":")
    if not host or not number.isdecimal():
        raise NoDevice(f"{address!r} is no address of a socket.", fix="Give it as socket://host:port")
    try:
        line = socket.create_connection((host.strip("[]"), int(number)), timeout=_CONNECT_S)
    except (OSError, OverflowError) as error:
        raise BridgeError(
            f"There is no connection to {address}: {error}.",
            fix="Check the host's name, the port's number, and that the program behind it runs.",
        ) from error
    line.setblocking(False)
    with contextlib.suppress(OSError):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return DescriptorPort(address, line.fileno(), line.close)
