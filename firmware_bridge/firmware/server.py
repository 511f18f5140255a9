"""The microcontroller's side of the link: takes bytes, does what they ask for, gives bytes."""

from firmware_bridge.firmware import group_edge, group_file, group_os
from firmware_bridge.firmware.device import Device
from firmware_bridge.firmware.error import NO_MEMORY, NOT_SUPPORTED, TOO_LONG, UNKNOWN, FirmwareError, refusal
from firmware_bridge.firmware.session import SAFETY
from firmware_bridge.wire import number
from firmware_bridge.wire.line import AROUND_BYTES, LineReader, lines
from firmware_bridge.wire.message import READ, WRITE, Message, MessageError, decode_message, encode_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firmware_bridge.firmware.files import Files

_WAITING = 4
"""Requests of the work lane that are answered together; the board keeps one outstanding there."""
_GROUPS = {number.OS: group_os.answer, number.FILE: group_file.answer, number.EDGE: group_edge.answer}


class Server(Device):
    """A device that can be talked to; what it takes is what `Device` does.

    Attributes
    ----------
    dropped : int
        Messages that were none, or no requests.
    failures : int
        Requests that this code broke down at.
    """

    def __init__(
        self,
        hardware: "Any",
        files: "Files",
        clock_us: "Callable[[], int]",
        boot: int,
        slot: str = "",
        trial: bool = False,
    ) -> None:
        super().__init__(hardware, files, clock_us, boot, slot, trial)
        self.dropped = 0
        self.failures = 0
        self._reader = LineReader(self.buffer_bytes)

    @property
    def noise(self) -> "dict[str, int]":
        """What came in and was no message, by cause."""
        return self._reader.dropped

    def receive(self, data: bytes) -> bytes:
        """Take what came in, and give what goes out; the safety lane's requests are done first."""
        self._step()
        self._keep_house()
        try:
            messages = self._reader.feed(data)
        except MemoryError:
            self._reader = LineReader(self.buffer_bytes)
            self.dropped += 1
            return b""
        safety: list[Message] = []
        work: list[Message] = []
        for message in messages:
            request = self._decoded(message)
            if request is not None:
                (safety if _is_safety(request) else work).append(request)
        if len(work) > _WAITING:  # copies of what was answered long ago: their answers would fill the memory
            self.dropped += len(work) - _WAITING
            del work[:-_WAITING]
        return b"".join([self._answered(request) for request in safety + work])

    def _decoded(self, message: bytes) -> "Message | None":
        """Read a request; what is none is counted."""
        try:
            request = decode_message(message)
            if request.op in (READ, WRITE):
                return request
        except (MessageError, MemoryError):
            pass
        self.dropped += 1
        return None

    def _answered(self, request: "Message") -> bytes:
        """Do what a request asks for, and give the answer, ready to be sent."""
        body = self._body(request)
        answer = Message(request.op + 1, request.group, request.command, request.sequence, body)
        try:
            message = encode_message(answer)
            if len(message) + AROUND_BYTES <= self.buffer_bytes:
                return lines(message)
            answer.body = {"rc": TOO_LONG}
        except MemoryError:
            answer.body = {"rc": NO_MEMORY}
        except MessageError:  # a part gave what has no place in an answer
            self.failures += 1
            answer.body = {"rc": UNKNOWN}
        return lines(encode_message(answer))

    def _body(self, request: "Message") -> "dict[str, Any]":
        group = _GROUPS.get(request.group)
        if group is None:
            return {"rc": NOT_SUPPORTED}
        try:
            return group(self, request.op, request.command, request.body)
        except FirmwareError as error:
            body = refusal(error)
        except MemoryError:
            body = {"rc": NO_MEMORY}
        except OSError as error:
            body = refusal(FirmwareError(number.HARDWARE, repr(error)))
        except Exception:  # a fault of this code's: whoever asked is to know, and everything else goes on
            self.failures += 1
            body = {"rc": UNKNOWN}
        if request.group == number.EDGE:
            body["t"] = self.clock.now()
        return body


def _is_safety(request: "Message") -> bool:
    known = group_edge.COMMANDS.get(request.command) if request.group == number.EDGE else None
    return known is not None and known[2] == SAFETY
