"""What answers the others' clients: a small SMP server and a small Firmata firmware, which note every move."""

from __future__ import annotations

import os
import select
import socket
import threading
import time

from firmware_bridge.wire.line import LineReader, lines
from firmware_bridge.wire.message import WRITE, Message, MessageError, decode_message, encode_message
from firmware_bridge.wire.number import ECHO, OS, PARAMETERS

__all__ = ["FirmataDevice", "PeerDevice", "SmpDevice", "by_firmata"]

_MOVE_GROUP = 65
_BUFFER_BYTES = 1024

# Firmata, protocol 2.6, and FirmataExpress's own
_SYSEX, _END = 0xF0, 0xF7
_FIRMWARE, _MAPPING, _MAPPING_ANSWER, _PIN, _PIN_ANSWER = 0x79, 0x69, 0x6A, 0x6D, 0x6E
_ARE_YOU_THERE, _I_AM_HERE, _STEPPER, _STEP = 0x51, 0x52, 0x72, 1
_LENGTHS = {0xC0: 2, 0xD0: 2, 0xE0: 3, 0x90: 3, 0xF4: 3, 0xF5: 3}
_REPORT_S = 0.019


class PeerDevice:
    """A device's end in a thread of this process.

    Attributes
    ----------
    end : int
        The other end, for the proxy.
    moves : list of int
        What was run, in order.
    """

    def __init__(self) -> None:
        self.moves: list[int] = []
        self._inner, self._outer = socket.socketpair()
        self.end = self._outer.fileno()
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._closed = True
        self._thread.join(2)
        self._inner.close()
        self._outer.close()

    def receive(self, data: bytes) -> bytes:
        """Take what came in; give what is to be sent."""
        raise NotImplementedError

    def poll(self) -> bytes:
        """Give what is to be sent unasked."""
        return b""

    def _run(self) -> None:
        while not self._closed:
            ready = select.select([self._inner], [], [], 0.005)[0]
            answer = self.receive(os.read(self._inner.fileno(), 4096)) if ready else b""
            answer += self.poll()
            if answer:
                self._inner.sendall(answer)


class SmpDevice(PeerDevice):
    """An SMP server with echo, parameters and a move: it runs what it gets, as MCUmgr's servers do."""

    def __init__(self) -> None:
        self._reader = LineReader(_BUFFER_BYTES)
        super().__init__()

    def receive(self, data: bytes) -> bytes:
        """Answer each whole request."""
        answers = b""
        for packet in self._reader.feed(data):
            try:
                asked = decode_message(packet)
            except MessageError:
                continue
            body: dict[str, object] = {"rc": 8}  # not supported
            if (asked.group, asked.command) == (OS, ECHO):
                body = {"r": asked.body.get("d", "")}
            elif (asked.group, asked.command) == (OS, PARAMETERS):
                body = {"buf_size": _BUFFER_BYTES, "buf_count": 1}
            elif asked.group == _MOVE_GROUP and asked.op == WRITE:
                self.moves.append(asked.body["by"])
                body = {"at": sum(self.moves)}
            answer = Message(asked.op + 1, asked.group, asked.command, asked.sequence, body)
            answers += lines(encode_message(answer))
        return answers


class FirmataDevice(PeerDevice):
    """FirmataExpress with 20 pins, one of which reports, and a stepper."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._reported_s = 0.0
        super().__init__()

    def receive(self, data: bytes) -> bytes:
        """Answer each whole message."""
        self._waiting += data
        return b"".join(self._answer(unit) for unit in by_firmata(self._waiting))

    def poll(self) -> bytes:
        """Report an analogue pin, as often as pymata4 asks for."""
        if not self.moves or time.monotonic() < self._reported_s + _REPORT_S:
            return b""
        self._reported_s = time.monotonic()
        return bytes((0xE2, len(self.moves) & 0x7F, 0))

    def _answer(self, unit: bytes) -> bytes:
        if unit[:1] != bytes((_SYSEX,)) or unit[-1:] != bytes((_END,)) or len(unit) < 3:
            return b""
        command, body = unit[1], unit[2:-1]
        if command == _ARE_YOU_THERE:
            return bytes((_SYSEX, _I_AM_HERE, 1, _END))
        if command == _FIRMWARE:
            name = b"".join(bytes((letter, 0)) for letter in b"FirmataExpress.ino")
            return bytes((_SYSEX, _FIRMWARE, 1, 2)) + name + bytes((_END,))
        if command == _MAPPING:
            pins = bytes(0x7F if pin < 14 else pin - 14 for pin in range(20))
            return bytes((_SYSEX, _MAPPING_ANSWER)) + pins + bytes((_END,))
        if command == _PIN and body:
            return bytes((_SYSEX, _PIN_ANSWER, body[0], 1, 0, _END))
        if command == _STEPPER and len(body) == 7 and body[0] == _STEP:
            steps = body[4] | body[5] << 7
            self.moves.append(steps if body[6] else -steps)
        return b""


def by_firmata(waiting: bytearray) -> list[bytes]:
    """Take whole messages of Firmata off the front; bytes that begin none are a unit each."""
    units = []
    while waiting:
        size = 1
        if waiting[0] == _SYSEX:
            following = [at for at in range(1, len(waiting)) if waiting[at] & 0x80]
            if not following:
                break
            size = following[0] + (waiting[following[0]] == _END)
        elif waiting[0] & 0x80:
            size = _LENGTHS.get(waiting[0] if waiting[0] >= 0xF0 else waiting[0] & 0xF0, 1)
        if size > len(waiting):
            break
        units.append(bytes(waiting[:size]))
        del waiting[:size]
    return units
