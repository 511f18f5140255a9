"""Group 0: what every device that speaks SMP can do."""

from firmware_bridge.firmware.error import INVALID, NOT_SUPPORTED, FirmwareError
from firmware_bridge.wire import number
from firmware_bridge.wire.message import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def echo(device: "Any", body: "dict[str, Any]") -> "dict[str, Any]":
    """Give a text back."""
    if not isinstance(body.get("d"), str):
        raise FirmwareError(INVALID, group=number.OS)
    return {"r": body["d"]}


def reset(device: "Any", body: "dict[str, Any]") -> "dict[str, Any]":
    """Make everything safe, and start anew when the answer has gone out."""
    device.check_start(body)
    device.restart()
    return {}


def parameters(device: "Any", body: "dict[str, Any]") -> "dict[str, Any]":
    """Say how long a packet may be."""
    return {"buf_size": device.buffer_bytes, "buf_count": 1}


COMMANDS = {
    number.ECHO: (WRITE, echo),
    number.RESET: (WRITE, reset),
    number.PARAMETERS: (READ, parameters),
}


def answer(device: "Any", op: int, command: int, body: "dict[str, Any]") -> "dict[str, Any]":
    """Do what a request of this group asks for, or refuse it."""
    known = COMMANDS.get(command)
    if known is None or known[0] != op:
        raise FirmwareError(NOT_SUPPORTED, group=number.OS)
    return known[1](device, body)
