from __future__ import annotations

import pytest

from firmware_bridge.wire import number
from firmware_bridge.wire.message import (
    READ,
    WRITE,
    WRITE_ANSWER,
    Message,
    MessageError,
    decode_message,
    encode_message,
)

SET = Message(WRITE, number.EDGE, number.SET, 9, {"s": 0x89ABCDEF, "n": 12, "name": "heater", "value": 0.5})


def test_a_message_comes_back_as_it_was() -> None:
    assert decode_message(encode_message(SET)) == SET


def test_the_header_is_laid_out_as_smp_has_it() -> None:
    whole = encode_message(Message(WRITE_ANSWER, 0x1234, 0xAB, 0xCD, {}))
    assert whole.hex(" ") == "0b 00 00 01 12 34 cd ab a0"


def test_messages_that_differ_in_one_thing_are_not_equal() -> None:
    same = Message(SET.op, SET.group, SET.command, SET.sequence, dict(SET.body))
    assert same == SET
    for name in ("op", "group", "command", "sequence"):
        other = Message(SET.op, SET.group, SET.command, SET.sequence, SET.body)
        setattr(other, name, getattr(SET, name) + 1)
        assert other != SET
    assert Message(SET.op, SET.group, SET.command, SET.sequence, {}) != SET
    assert SET != "a message"


WHOLE = encode_message(SET)
REFUSED = {
    "nothing": b"",
    "a header cut": WHOLE[:7],
    "a body cut": WHOLE[:-1],
    "a byte too many": WHOLE + b"\0",
    "a length beyond": WHOLE[:2] + b"\xff\xff" + WHOLE[4:],
    "the first version": bytes([WHOLE[0] & 7]) + WHOLE[1:],
    "a later version": bytes([WHOLE[0] | 0x10]) + WHOLE[1:],
    "an operation that is none": bytes([0x0C]) + WHOLE[1:],
    "a bit that is reserved": bytes([WHOLE[0] | 0x80]) + WHOLE[1:],
    "flags": WHOLE[:1] + b"\1" + WHOLE[2:],
    "a body that is a list": bytes.fromhex("080000010040070080"),
    "no body": bytes.fromhex("0800000000400700"),
    "a body that is no CBOR": bytes.fromhex("0800000100400700ff"),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(MessageError):
        decode_message(data)


@pytest.mark.parametrize(
    "message",
    [
        Message(4, 0, 0, 0, {}),
        Message(READ, 0x10000, 0, 0, {}),
        Message(READ, 0, 256, 0, {}),
        Message(READ, 0, 0, -1, {}),
        Message(READ, 0, 0, 0, {"a": 1 << 64}),
        Message(READ, 0, 0, 0, {"a": bytes(0x10000)}),
        Message(READ, 0, 0, 0, []),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_what_cannot_be_written_is_refused(message: Message) -> None:
    with pytest.raises(MessageError):
        encode_message(message)


def test_no_two_commands_or_errors_share_a_number() -> None:
    names = vars(number)
    start = list(names)
    commands = [names[name] for name in start[start.index("HELLO") : start.index("NO_COMMAND")]]
    errors = [names[name] for name in start[start.index("NO_COMMAND") :]]
    assert commands == list(range(18))
    assert errors == list(range(1, 16))
