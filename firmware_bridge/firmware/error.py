"""What the firmware answers instead of doing something."""

from firmware_bridge.wire import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# SMP's own error numbers
UNKNOWN = 1
NO_MEMORY = 2
INVALID = 3
TOO_LONG = 7
NOT_SUPPORTED = 8

_WHY = 160  # characters, so that it fits into every answer


class FirmwareError(Exception):
    """A request that is refused, or could not be done.

    Parameters
    ----------
    rc : int
        What is wrong, of `firmware_bridge.wire.number`.
    why : str
        The same in words, with the value and what was expected.
    group : int
        Whose number it is.
    """

    def __init__(self, rc: int, why: str = "", group: int = number.EDGE) -> None:
        super().__init__(why)
        self.rc = rc
        self.why = why
        self.group = group


class ConfigError(FirmwareError):
    """A configuration that is wrong.

    Parameters
    ----------
    where : str
        The place: ``outputs.heater.safe``.
    why : str
        What is wrong there.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(number.CONFIG, f"{where}: {why}" if where else why)
        self.where = where


def refusal(error: FirmwareError) -> "dict[str, Any]":
    """Give the answer that tells an error."""
    if error.group == number.OS:
        return {"rc": error.rc}
    answer: dict[str, Any] = {"err": {"group": error.group, "rc": error.rc}}
    if error.why:
        answer["why"] = error.why[:_WHY]
    return answer
