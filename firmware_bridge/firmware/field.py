"""What a request holds, taken out and checked."""

from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.wire import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UINT32 = 0xFFFFFFFF


def whole(body: "dict[str, Any]", key: str, least: int = 0, most: int = UINT32) -> int:
    """Give a whole number of the request.

    Raises
    ------
    FirmwareError
        When it is missing, of another kind or out of range.
    """
    value = body.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise FirmwareError(number.RANGE, f"{key} is to be a whole number from {least} to {most}")


def quantity(body: "dict[str, Any]", key: str) -> "int | float":
    """Give a number of the request, whole or not, but never infinite."""
    value: int | float = body.get(key, "")
    if is_number(value):
        return value
    raise FirmwareError(number.RANGE, f"{key} is to be a number")


def text(body: "dict[str, Any]", key: str) -> str:
    """Give a text of the request."""
    value = body.get(key)
    if isinstance(value, str):
        return value
    raise FirmwareError(number.RANGE, f"{key} is to be text")


def data(body: "dict[str, Any]", key: str) -> bytes:
    """Give bytes of the request."""
    value = body.get(key)
    if isinstance(value, bytes):
        return value
    raise FirmwareError(number.RANGE, f"{key} is to be bytes")


def is_number(value: object) -> bool:
    """Tell whether a value is a number that one can calculate with."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e30
