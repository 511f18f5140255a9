from __future__ import annotations

import random

import pytest

from firmware_bridge.link.trace import Passed, Trace, brief
from firmware_bridge.simulation.fault import BOOT_LOG
from firmware_bridge.wire import number
from firmware_bridge.wire.line import lines
from firmware_bridge.wire.message import WRITE, WRITE_ANSWER, Message, encode_message

SET = Message(WRITE, number.EDGE, number.SET, 3, {"s": 1, "n": 2, "name": "heater", "value": 0.5})
LONG = Message(WRITE_ANSWER, number.OS, number.ECHO, 4, {"r": "x" * 700})


def frame(message: Message) -> bytes:
    return lines(encode_message(message))


def told(found: list[Passed]) -> list[tuple[str, str]]:
    return [(each.kind, str(each)) for each in found]


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_messages_are_found_however_they_are_cut(size: int) -> None:
    data, trace = frame(SET) + frame(LONG), Trace(">")
    found = [each for at in range(0, len(data), size) for each in trace.feed(data[at : at + size], at)]
    assert [each.message for each in found] == [SET, LONG]
    assert str(found[0]) == "edge.set #3 n=2 name=heater s=1 value=0.5"
    assert str(found[1]).startswith("os.echo #4 = r=xxxx")
    assert str(found[1]).endswith("... (700)")


def test_text_before_between_and_after_is_shown() -> None:
    found = Trace("<").feed(b"boot\r\n" + frame(SET) + b"Traceback\nlast " + frame(LONG), 0.0)
    assert told(found)[0] == ("text", "boot")
    assert [each.kind for each in found] == ["text", "message", "text", "text", "message"]
    assert str(found[3]) == "last "


def test_a_prompt_without_an_end_is_shown_when_it_is_asked_for() -> None:
    trace = Trace("<")
    assert trace.feed(b"\r\n>>> ", 0.0) == []
    assert told(trace.flush(1.0)) == [("text", ">>> ")]
    assert trace.flush(2.0) == []


def test_a_frame_that_is_damaged_is_told_with_why() -> None:
    data = bytearray(frame(SET))
    data[20] ^= 1
    ((kind, why),) = told(Trace("<").feed(bytes(data), 0.0))
    assert kind == "dropped"
    assert "checksum is wrong" in why or "no base64" in why


def test_a_packet_that_is_no_message_is_told() -> None:
    ((kind, why),) = told(Trace("<").feed(lines(b"0123456789"), 0.0))
    assert kind == "dropped"
    assert "no message" in why


def test_text_without_any_end_takes_no_more_and_more_memory() -> None:
    trace = Trace("<")
    shown = sum(len(each.text) for _ in range(200) for each in trace.feed(b"a" * 1000, 0.0))
    assert 195_000 <= shown <= 200_000


def test_whatever_comes_messages_in_it_are_found() -> None:
    dice = random.Random(5)
    for _ in range(200):
        noise = (
            dice.choice(BOOT_LOG)
            + b"\n"
            + dice.randbytes(dice.randrange(60)).replace(b"\x06", b"").replace(b"\x04", b"")
        )
        found = Trace("<").feed(noise + b"\n" + frame(SET), 0.0)
        assert [each.message for each in found if each.message] == [SET]


def test_an_error_of_another_group_keeps_its_number() -> None:
    assert brief({"err": {"group": 8, "rc": 3}}) == "ERROR 3 of group 8"


def test_as_json_bytes_are_hexadecimal() -> None:
    message = Message(WRITE, number.FILE, number.FILE_DATA, 1, {"data": b"\x01\xff", "list": [b"\x02"]})
    (found,) = Trace(">").feed(frame(message), 2.5)
    assert found.as_json() == {
        "time_s": 2.5, "direction": ">", "kind": "message", "name": "file.data", "answer": False, "sequence": 1,
        "body": {"data": "01ff", "list": ["02"]},
    }  # fmt: skip
