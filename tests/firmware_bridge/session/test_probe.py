from __future__ import annotations

from collections.abc import Callable

import pytest
from stand import StandPort, Time

from firmware_bridge.error import BridgeTimeout
from firmware_bridge.session.probe import ASKING, probe
from firmware_bridge.simulation.address import open_device
from firmware_bridge.wire import number
from firmware_bridge.wire.line import lines
from firmware_bridge.wire.message import READ_ANSWER, Message, encode_message


class Said:
    """A port behind which something answers each line in its own way."""

    name = "said"

    def __init__(self, time: Time, answer: Callable[[bytes], bytes]) -> None:
        self._time, self._answer, self._waiting = time, answer, b""

    def read(self, timeout_s: float) -> bytes:
        self._time.now_s += 0 if self._waiting else timeout_s
        data, self._waiting = self._waiting, b""
        return data

    def write(self, data: bytes) -> None:
        self._waiting += self._answer(data)

    def close(self) -> None:
        pass


def said(answer: Callable[[bytes], bytes]) -> tuple[str, str]:
    time = Time()
    found = probe(Said(time, answer), clock=time)
    return found.kind, found.says


@pytest.mark.parametrize("faults", ["", "?drop=0.3&seed=2", "?noise=1&seed=2"])
def test_a_bridge_is_found_and_says_who_it_is(faults: str) -> None:
    time = Time()
    device = open_device(f"sim://incubator{faults}", time)
    found = probe(StandPort(device, time), clock=time)
    device.close()
    assert found.kind == "bridge"
    assert found.hello is not None
    assert found.says == "a bridge: firmware 0.1.0 on simulation"


def test_a_prompt_of_micropython_is_known() -> None:
    assert said(lambda data: data + b"Traceback: NameError\r\n>>> ")[0] == "micropython"


def test_another_smp_server_is_known() -> None:
    answer = lines(encode_message(Message(READ_ANSWER, number.EDGE, number.HELLO, 0, {"rc": 8})))
    assert said(lambda data: answer) == ("smp", "a firmware that speaks SMP, without a bridge")


def test_a_hello_that_is_no_hello_is_no_bridge() -> None:
    answer = lines(encode_message(Message(READ_ANSWER, number.EDGE, number.HELLO, 0, {"pv": [7, 9]})))
    kind, says = said(lambda data: answer)
    assert kind == "smp"
    assert "7 to 9" in says


def test_other_text_is_quoted() -> None:
    assert said(lambda data: b"$GPGGA,1,2\r\n") == ("text", "something that says: $GPGGA,1,2")


def test_an_echo_of_what_was_asked_is_no_answer() -> None:
    assert said(lambda data: data) == ("nothing", "nothing answers")


def test_silence_is_nothing() -> None:
    assert said(lambda data: b"") == ("nothing", "nothing answers")


def test_what_takes_no_bytes_is_nothing() -> None:
    def full(data: bytes) -> bytes:
        raise BridgeTimeout("said takes no bytes.", why="It does not read.")

    assert said(full) == ("nothing", "It takes no bytes. It does not read.")


def test_what_is_asked_is_one_line_that_ends_no_program() -> None:
    assert ASKING.count(b"\n") == 1
    assert not set(ASKING) & {0x01, 0x02, 0x03, 0x04, 0x05}
