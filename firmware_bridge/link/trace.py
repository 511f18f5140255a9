"""What passes on a line, made readable: messages by name, what is dropped and why, and the text in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware_bridge.link.refusal import reason
from firmware_bridge.wire import number
from firmware_bridge.wire.line import LineReader
from firmware_bridge.wire.message import READ, WRITE, Message, decode_message

__all__ = ["Passed", "Trace", "brief", "name_of", "passed"]

_MOST_BYTES = 0xFFFF  # the longest packet that there can be: a trace shows what either side would drop
_LINE_BYTES = 4096  # a line that is longer is shown in parts
_BRIEF = 60

_GROUPS = {number.OS: "os", number.FILE: "file", number.EDGE: "edge"}
_COMMANDS = {
    number.OS: {number.ECHO: "echo", number.RESET: "reset", number.PARAMETERS: "parameters"},
    number.FILE: {number.FILE_DATA: "data", number.FILE_STATUS: "status", number.FILE_HASH: "hash"},
    number.EDGE: {
        number.HELLO: "hello",
        number.DICTIONARY: "dictionary",
        number.OPEN: "open",
        number.SETTLE: "settle",
        number.LEASE: "lease",
        number.STOP: "stop",
        number.SET: "set",
        number.READ_VALUE: "read",
        number.MOVE: "move",
        number.HOME: "home",
        number.JOB: "job",
        number.WATCH: "watch",
        number.READINGS: "readings",
        number.CLOCK: "clock",
        number.CLEAR: "clear",
        number.CONFIGURE: "configure",
        number.UPDATE: "update",
        number.CONFIRM: "confirm",
    },
}
# Why a reader drops what looked like a message, in words.
_CAUSES = {
    "crc": "its checksum is wrong: damaged on the way",
    "length": "its length is not the one that it says",
    "base64": "a line with a mark that is no base64: damaged, or text that looks like a frame",
    "cut": "it has no end, or no beginning",
    "overrun": "it is longer than any message",
}


@dataclass(frozen=True, slots=True)
class Passed:
    """Something that passed on a line.

    Attributes
    ----------
    time_s : float
        When it was seen, on the line of ``time.monotonic()``.
    direction : str
        ``>`` to the microcontroller, ``<`` from it.
    kind : str
        ``message``; ``text`` between messages, such as a boot log; ``dropped``, what a reader makes nothing of.
    text : str
        The text, or why it is dropped.
    message : Message or None
        Where it is one.
    """

    time_s: float
    direction: str
    kind: str
    text: str
    message: Message | None = None

    def as_json(self) -> dict[str, Any]:
        """Give it as plain values; bytes are written in hexadecimal."""
        told: dict[str, Any] = {"time_s": self.time_s, "direction": self.direction, "kind": self.kind}
        message = self.message
        if message is None:
            return {**told, "text": self.text}
        return {
            **told,
            "name": name_of(message),
            "answer": _is_answer(message),
            "sequence": message.sequence,
            "body": _plain(message.body),
        }

    def __str__(self) -> str:
        if self.message is None:
            return self.text if self.kind == "text" else f"DROPPED: {self.text}"
        answer = " =" if _is_answer(self.message) else ""
        return f"{name_of(self.message)} #{self.message.sequence}{answer} {brief(self.message.body)}".rstrip()


class Trace:
    """One direction of a line, taken apart as it comes.

    Parameters
    ----------
    direction : str
        ``>`` or ``<``.
    """

    def __init__(self, direction: str) -> None:
        self._direction = direction
        self._reader = LineReader(_MOST_BYTES)
        self._rest = b""

    def feed(self, data: bytes, time_s: float) -> list[Passed]:
        """Take what was seen, and give what is whole with it."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        found = [each for line in whole for each in self._line(line + b"\n", time_s)]
        if len(self._rest) > _LINE_BYTES:
            found += self.flush(time_s)
        return found

    def flush(self, time_s: float) -> list[Passed]:
        """Give what has come of a line without an end: the prompt of a REPL has none."""
        rest, self._rest = self._rest, b""
        return self._line(rest, time_s) if rest else []

    def _line(self, line: bytes, time_s: float) -> list[Passed]:
        reader = self._reader
        noise_bytes, dropped = reader.noise_bytes, dict(reader.dropped)
        messages = reader.feed(line)
        found = []
        text = line[: reader.noise_bytes - noise_bytes].decode("utf-8", "replace").rstrip("\r\n")
        if text:
            found.append(Passed(time_s, self._direction, "text", text))
        for cause, count in reader.dropped.items():
            if count > dropped[cause]:
                found.append(Passed(time_s, self._direction, "dropped", _CAUSES[cause]))
        return found + [passed(time_s, self._direction, data) for data in messages]


def passed(time_s: float, direction: str, data: bytes) -> Passed:
    """Take a message's bytes, as a packet or a record holds them."""
    try:
        message = decode_message(data)
    except ValueError as error:
        return Passed(time_s, direction, "dropped", f"a whole packet that is no message: {error}")
    return Passed(time_s, direction, "message", "", message)


def name_of(message: Message) -> str:
    """Say what a message is about: its group's name and its command's, or their numbers.

    Examples
    --------
    >>> name_of(Message(READ, number.EDGE, number.HELLO, 1, {})), name_of(Message(WRITE, 1, 3, 1, {}))
    ('edge.hello', '1.3')
    """
    group = _GROUPS.get(message.group, str(message.group))
    command = _COMMANDS.get(message.group, {}).get(message.command, str(message.command))
    return f"{group}.{command}"


def brief(body: Mapping[str, Any]) -> str:
    """Write a body on one line, an error in words.

    Examples
    --------
    >>> brief({"name": "heater", "value": 0.5, "sha": bytes(300)})
    'name=heater value=0.5 sha=<300 bytes>'
    >>> brief({"err": {"group": 64, "rc": 7}, "t": 12})
    'ERROR 7: no lease runs, so all outputs are at their safe values; t=12'
    """
    told = dict(body)
    error = told.pop("err", None)
    words = " ".join(f"{key}={_short(value)}" for key, value in told.items())
    if not isinstance(error, dict):
        return words
    rc, group = error.get("rc"), error.get("group")
    said = f": {reason(rc)}" if group == number.EDGE and isinstance(rc, int) else f" of group {group}"
    said = f"ERROR {rc}{said}"
    return f"{said}; {words}" if words else said


def _short(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex() if 0 < len(value) <= 8 else f"<{len(value)} bytes>"
    text = value if isinstance(value, str) else repr(_plain(value))
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]}... ({len(text)})"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _is_answer(message: Message) -> bool:
    return message.op not in (READ, WRITE)
