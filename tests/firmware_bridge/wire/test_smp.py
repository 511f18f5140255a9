"""The same messages in another implementation of the protocol."""

from __future__ import annotations

import random
import warnings
from typing import Any

import pytest

from firmware_bridge.wire import number
from firmware_bridge.wire.line import LineReader, lines
from firmware_bridge.wire.message import (
    READ,
    READ_ANSWER,
    WRITE,
    WRITE_ANSWER,
    Message,
    decode_message,
    encode_message,
)

pytest.importorskip("smp", reason="smp comes with the test extra")

from smp import error, file_management, message, os_management, packet

BASES = (message.ReadRequest, message.ReadResponse, message.WriteRequest, message.WriteResponse)
SHA = bytes(range(32))


def edge(op: int, command: int, **body: Any) -> tuple[type, int, int, int, dict[str, Any]]:
    """Give a message of group 64 with the class that smp would have it in, as users of it write their groups."""
    fields = {"_GROUP_ID": number.EDGE, "_COMMAND_ID": command, "__annotations__": dict.fromkeys(body, Any)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a field called dict
        return type(f"Edge{command}", (BASES[op],), fields), op, number.EDGE, command, body


class EdgeError(error.ErrorV2[int]):  # type: ignore[type-arg]
    _GROUP_ID = number.EDGE
    _COMMAND_ID = number.SET
    _OP = 3
    why: str | None = None


OS = [
    (os_management.EchoWriteRequest, WRITE, 0, {"d": "Grüße"}),
    (os_management.EchoWriteResponse, WRITE_ANSWER, 0, {"r": "x" * 200}),
    (os_management.ResetWriteRequest, WRITE, 5, {}),
    (os_management.ResetWriteResponse, WRITE_ANSWER, 5, {}),
    (os_management.MCUMgrParametersReadRequest, READ, 6, {}),
    (os_management.MCUMgrParametersReadResponse, READ_ANSWER, 6, {"buf_size": 1024, "buf_count": 1}),
]
FILE = [
    (file_management.FileUploadRequest, WRITE, 0, {"off": 0, "data": SHA * 12, "name": "/slot/a", "len": 9999}),
    (file_management.FileUploadRequest, WRITE, 0, {"off": 384, "data": b"", "name": "/slot/a"}),
    (file_management.FileUploadResponse, WRITE_ANSWER, 0, {"off": 384}),
    (file_management.FileDownloadRequest, READ, 0, {"off": 70000, "name": "/config.json"}),
    (file_management.FileDownloadResponse, READ_ANSWER, 0, {"off": 0, "data": SHA, "len": 1 << 20}),
    (file_management.FileStatusRequest, READ, 1, {"name": "/slot/b"}),
    (file_management.FileStatusResponse, READ_ANSWER, 1, {"len": 0}),
    (file_management.FileHashChecksumRequest, READ, 2, {"name": "/slot/b", "type": "sha256"}),
    (file_management.FileHashChecksumResponse, READ_ANSWER, 2, {"type": "sha256", "off": 0, "len": 9, "output": SHA}),
]
HELLO = {
    "pv": [1, 1], "fw": "1.0", "board": "pico", "name": "incubator", "id": b"\xe6\x61", "boot": 0xFFFFFFFF, "dict": SHA,
    "cfg": 7, "cap": ["files"], "buf": 1024, "state": "idle", "lease": 0, "slot": "a", "trial": False, "t": 4294967295,
}  # fmt: skip
WORK = {"s": 0x89ABCDEF, "n": 1 << 31}
EDGE = [
    edge(READ, number.HELLO),
    edge(READ_ANSWER, number.HELLO, **HELLO),
    edge(READ, number.DICTIONARY, off=0),
    edge(READ_ANSWER, number.DICTIONARY, off=0, data=SHA * 10, len=320, raw=900, t=1),
    edge(WRITE, number.OPEN, s=5, pv=1, ms=1000),
    edge(WRITE_ANSWER, number.OPEN, boot=9, ms=1000, t=1),
    edge(WRITE, number.SETTLE, s=5, n=3, of="w"),
    edge(WRITE_ANSWER, number.SETTLE, ran=True, r={"job": 4, "t": 77}),
    edge(WRITE, number.LEASE, **WORK, ms=0),
    edge(WRITE_ANSWER, number.LEASE, ms=1000, state="live", t=1),
    edge(WRITE, number.STOP),
    edge(WRITE, number.STOP, axis="x"),
    edge(WRITE_ANSWER, number.STOP, state="idle", t=1),
    edge(WRITE, number.SET, **WORK, name="heater", value=0.1, ms=500),
    edge(WRITE, number.SET, **WORK, name="lamp", value=[255, 0, 128]),
    edge(WRITE_ANSWER, number.SET, value=0.1, t=1),
    edge(READ, number.READ_VALUE, name="temperature"),
    edge(READ_ANSWER, number.READ_VALUE, value=-12.0625, t=1),
    edge(WRITE, number.MOVE, **WORK, axis="x", by=-12.5, speed=2000),
    edge(WRITE, number.MOVE, **WORK, axis="x", to=0),
    edge(WRITE_ANSWER, number.MOVE, job=65536, t=1),
    edge(WRITE, number.HOME, **WORK, axis="x"),
    edge(WRITE_ANSWER, number.HOME, job=2, t=1),
    edge(READ, number.JOB, job=2),
    edge(READ_ANSWER, number.JOB, state="failed", at=-5000, why="no switch within 10 mm", t=1),
    edge(WRITE, number.WATCH, **WORK, names=["temperature", "light"], us=1000),
    edge(WRITE_ANSWER, number.WATCH, us=1000, next=0, t=1),
    edge(READ, number.READINGS, **{"from": 4000000000, "most": 16}),
    edge(READ_ANSWER, number.READINGS, first=1, next=3, names=["a", "b"], rows=[[1, 0, 1.5], [2, 1, -7]], t=1),
    edge(READ, number.CLOCK),
    edge(READ_ANSWER, number.CLOCK, t=123456789),
    edge(WRITE, number.CLEAR, **WORK),
    edge(WRITE_ANSWER, number.CLEAR, state="idle", t=1),
    edge(WRITE, number.CONFIGURE, **WORK, crc=0xCAFEBABE),
    edge(WRITE_ANSWER, number.CONFIGURE, cfg=0xCAFEBABE, dict=SHA, t=1),
    edge(WRITE, number.UPDATE, **WORK, slot="b", len=70000, sha=SHA),
    edge(WRITE_ANSWER, number.UPDATE, t=1),
    edge(WRITE, number.CONFIRM, **WORK),
    edge(WRITE_ANSWER, number.CONFIRM, slot="b", t=1),
]
ALL = [
    *((kind, op, number.OS, command, body) for kind, op, command, body in OS),
    *((kind, op, number.FILE, command, body) for kind, op, command, body in FILE),
    *EDGE,
]
IDS = [f"{kind.__name__}-{('read', 'read answer', 'write', 'write answer')[op]}" for kind, op, *_ in ALL]


@pytest.mark.parametrize(("kind", "op", "group", "command", "body"), ALL, ids=IDS)
class TestEveryMessage:
    def test_is_read_there_as_it_was_meant_here(self, kind, op, group, command, body) -> None:
        whole = encode_message(Message(op, group, command, 200, body))
        theirs = kind.loads(_through_their_reader(lines(whole)))
        assert (theirs.header.op, theirs.header.group_id, theirs.header.command_id) == (op, group, command)
        assert (theirs.header.sequence, theirs.header.version, theirs.header.flags) == (200, 1, 0)
        assert theirs.model_dump(include=set(body)) == body

    @pytest.mark.parametrize("length", [8, 64, 127, 128])
    def test_is_read_here_as_it_was_meant_there(self, kind, op, group, command, body, length: int) -> None:
        theirs = bytes(kind(**body, sequence=200))
        reader = LineReader(1024)
        found = [one for part in packet.encode(theirs, line_length=length) for one in reader.feed(part)]
        assert found == [theirs]
        assert decode_message(found[0]) == Message(op, group, command, 200, body)
        assert reader.noise_bytes == 0
        assert not any(reader.dropped.values())


@pytest.mark.parametrize(
    ("kind", "group", "command", "body"),
    [
        (os_management.OSManagementErrorV2, 0, 0, {"err": {"group": 0, "rc": 2}}),
        (file_management.FileSystemManagementErrorV2, 8, 0, {"err": {"group": 8, "rc": 3}}),
        (file_management.FileSystemManagementErrorV1, 8, 1, {"rc": 8, "rsn": "not here"}),
        (os_management.OSManagementErrorV1, 0, 6, {"rc": 8}),
        (EdgeError, 64, 6, {"err": {"group": 64, "rc": number.RANGE}, "why": "heater: 2 is above 1"}),
        (EdgeError, 64, 6, {"err": {"group": 64, "rc": number.NO_LEASE}}),
    ],
)
def test_an_error_is_the_same_on_both_sides(kind: Any, group: int, command: int, body: dict[str, Any]) -> None:
    ours = Message(WRITE_ANSWER, group, command, 17, body)
    theirs = kind.loads(encode_message(ours))
    assert theirs.model_dump(include=set(body)) == body
    assert decode_message(bytes(kind.load(theirs.header, body))) == ours


@pytest.mark.parametrize("size", [1, 86, 87, 88, 89, 90, 179, 180, 181, 1000, 60000])
def test_long_messages_are_cut_and_joined_alike(size: int) -> None:
    """Zephyr cuts lines at 127 bytes with the newline, 93 of the packet in each."""
    data = random.Random(size).randbytes(size)
    assert _through_their_reader(lines(data)) == data
    assert b"".join(packet.encode(data, line_length=128)) == lines(data)


def test_the_line_of_their_documentation_comes_out() -> None:
    assert lines(b"Hello, world!") == b"\x06\tAA9IZWxsbywgd29ybGQhet4=\n"


def _through_their_reader(text: bytes) -> bytes:
    decoder = packet.decode()
    next(decoder)
    for one in text.splitlines(keepends=True):
        try:
            decoder.send(one)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
    raise AssertionError("a message without its end")
