"""Who may command: one session at a time, and each of its numbers at most once."""

from firmware_bridge.firmware.error import UNKNOWN, FirmwareError
from firmware_bridge.wire import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WORK = 0
SAFETY = 1
_REMEMBERED = 16
"""Sessions that are over and known to be: more than any link can hold back requests of."""


class Session:
    """The session that is open, and the newest number of each of its lanes with its answer."""

    def __init__(self) -> None:
        self.number = -1
        self.opened: dict[str, Any] | None = None  # the answer to the request that opened it
        self._newest = [-1, -1]
        self._answers: list[Any] = [None, None]
        self._over: list[int] = []

    def open(self, session: int) -> None:
        """Begin a session; the one before is over, for good.

        Raises
        ------
        FirmwareError
            When it is one that is over: a request that comes late.
        """
        if session in self._over:
            raise FirmwareError(number.NO_SESSION, "this session is over: open one with a new number")
        if self.number >= 0:
            self._over.append(self.number)
            del self._over[:-_REMEMBERED]
        self.number = session
        self._newest = [-1, -1]
        self._answers = [None, None]

    def check(self, session: int) -> None:
        """Refuse what is not of the session that is open."""
        if session != self.number:
            raise FirmwareError(number.NO_SESSION, "another session is open" if self.number >= 0 else "open one first")

    def begin(self, lane: int, count: int) -> "dict[str, Any] | None":
        """Take a number: give the answer it had where it is the newest, None where it is to run now.

        Raises
        ------
        FirmwareError
            When it is older than the newest, or was settled.
        """
        newest = self._newest[lane]
        if count > newest:
            self._newest[lane] = count
            self._answers[lane] = {"rc": UNKNOWN}  # if it breaks down on the way: it may have run
            return None
        answer: dict[str, Any] | None = self._answers[lane]
        if count < newest or answer is None:
            raise FirmwareError(number.OLD, f"{count}; the newest is {newest}")
        return answer

    def end(self, lane: int, answer: "dict[str, Any]") -> None:
        """Keep the answer to the newest number, to be given again."""
        self._answers[lane] = answer

    def settle(self, lane: int, count: int) -> "dict[str, Any]":
        """Tell what became of a number, and make sure that neither it nor an older one runs from now on."""
        newest = self._newest[lane]
        if count > newest:
            self._newest[lane] = count
            self._answers[lane] = None
        elif count < newest:
            raise FirmwareError(number.OLD, f"{count}; the newest is {newest}")
        answer = self._answers[lane]
        return {"ran": False} if answer is None else {"ran": True, "r": answer}
