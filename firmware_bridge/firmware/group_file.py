"""Group 8: the configuration and the slots of firmware, up and down."""

from firmware_bridge.firmware import field, upload
from firmware_bridge.firmware.error import NOT_SUPPORTED, FirmwareError
from firmware_bridge.wire import number
from firmware_bridge.wire.message import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firmware_bridge.firmware.device import Device

# Error numbers of MCUmgr's file group
BAD_NAME = 2
NOT_FOUND = 3
READ_FAILED = 7
NO_OFFSET = 12

_ROOM_BYTES = 96  # for the rest of an answer


def _name(body: "dict[str, Any]") -> str:
    name = body.get("name")
    if not isinstance(name, str) or name not in upload.MOST_BYTES:
        raise FirmwareError(BAD_NAME, "files are " + ", ".join(sorted(upload.MOST_BYTES)), number.FILE)
    return name


def _found(device: "Device", name: str) -> int:
    size = device.files.size(name)
    if size < 0:
        raise FirmwareError(NOT_FOUND, group=number.FILE)
    return size


def put(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Take a piece of a file."""
    name = _name(body)
    device.session.check(field.whole(body, "s"))
    if device.lease.left_us <= 0:
        raise FirmwareError(number.NO_LEASE)
    start = field.whole(body, "off")
    piece = field.data(body, "data")
    length = field.whole(body, "len", 1) if start == 0 else 0
    sha = field.data(body, "sha") if "sha" in body else b""
    return {"off": device.upload.put(name, start, piece, length, sha)}


def get(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Give a piece of a file."""
    name = _name(body)
    size = _found(device, name)
    start = field.whole(body, "off")
    if start > size:
        raise FirmwareError(NO_OFFSET, group=number.FILE)
    answer = {"off": start, "data": device.files.read(name, start, device.buffer_bytes - _ROOM_BYTES)}
    if start == 0:
        answer["len"] = size
    return answer


def status(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Say how long a file is."""
    return {"len": _found(device, _name(body))}


def sha256(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Give a file's hash."""
    name = _name(body)
    if body.get("type", "sha256") != "sha256":
        raise FirmwareError(NOT_SUPPORTED, group=number.OS)
    return {"type": "sha256", "off": 0, "len": _found(device, name), "output": device.files.sha256(name, device.poll)}


COMMANDS = {
    (WRITE, number.FILE_DATA): put,
    (READ, number.FILE_DATA): get,
    (READ, number.FILE_STATUS): status,
    (READ, number.FILE_HASH): sha256,
}


def answer(device: "Device", op: int, command: int, body: "dict[str, Any]") -> "dict[str, Any]":
    """Do what a request of this group asks for, or refuse it."""
    known = COMMANDS.get((op, command))
    if known is None:
        raise FirmwareError(NOT_SUPPORTED, group=number.OS)
    try:
        return known(device, body)
    except OSError as error:
        raise FirmwareError(READ_FAILED, repr(error), number.FILE) from None
