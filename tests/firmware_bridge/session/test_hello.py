from __future__ import annotations

from typing import Any

import pytest

from firmware_bridge.error import NoProtocol, PortBusy, Refused
from firmware_bridge.link.refusal import check
from firmware_bridge.session.hello import agree, read_hello
from firmware_bridge.wire import number

SAID: dict[str, Any] = {
    "pv": [1, 1], "fw": "0.1.0", "board": "rp2040", "name": "", "id": b"\1\2", "boot": 7, "dict": b"\0" * 32, "cfg": 0,
    "cap": ["file"], "buf": 1024, "state": "idle", "lease": 250, "slot": "", "trial": False, "t": 5,
}  # fmt: skip


def test_a_hello_is_read() -> None:
    hello = read_hello(SAID)
    assert (hello.board, hello.boot, hello.lease_s, hello.capabilities) == ("rp2040", 7, 0.25, ("file",))


def test_what_a_newer_firmware_says_besides_is_passed_over() -> None:
    assert read_hello({**SAID, "pv": [1, 9], "colour": "blue"}).protocols == (1, 9)


@pytest.mark.parametrize(
    ("firmware", "who"), [([2, 3], "The firmware is newer"), ([0, 0], "The firmware is older"), ([5, 2], "newer")]
)
def test_no_common_protocol_is_refused_and_says_which_side_is_older(firmware: list[int], who: str) -> None:
    with pytest.raises(NoProtocol, match=who):
        read_hello({**SAID, "pv": firmware})


@pytest.mark.parametrize(
    ("theirs", "ours", "agreed"), [([1, 1], (1, 1), 1), ([1, 4], (1, 2), 2), ([2, 2], (1, 3), 2), ([1, 3], (3, 5), 3)]
)
def test_the_newest_protocol_of_both_is_chosen(theirs: list[int], ours: tuple[int, int], agreed: int) -> None:
    assert agree(theirs, ours) == agreed


@pytest.mark.parametrize("name", sorted(set(SAID) - {"t"}))
def test_a_hello_with_a_part_missing_or_of_another_kind_is_not_misread(name: str) -> None:
    with pytest.raises(NoProtocol, match="is not this bridge's firmware"):
        read_hello({key: value for key, value in SAID.items() if key != name})
    with pytest.raises(NoProtocol, match="is not this bridge's firmware"):
        read_hello({**SAID, name: None})


def test_a_buffer_too_small_for_anything_is_refused() -> None:
    with pytest.raises(NoProtocol, match="a buffer of 12 bytes"):
        read_hello({**SAID, "buf": 12})


def test_a_buffer_larger_than_any_packet_is_taken_for_the_longest() -> None:
    assert read_hello({**SAID, "buf": 1 << 40}).buffer_bytes == 0xFFFF


def test_every_error_number_is_told_in_words_with_what_to_do() -> None:
    numbers = [value for name, value in vars(number).items() if name.isupper() and isinstance(value, int)]
    for rc in range(1, max(number.NOT_AS_ANNOUNCED, 1) + 1):
        assert rc in numbers
        with pytest.raises((Refused, PortBusy, NoProtocol)) as raised:
            check("Setting heater", {"err": {"group": number.EDGE, "rc": rc}, "why": "because"})
        assert "Setting heater was refused" in raised.value.what
        assert "because" in str(raised.value.why)
        assert raised.value.fix


@pytest.mark.parametrize(
    "body", [{"err": {"group": 8, "rc": 2}}, {"rc": 8}, {"err": {"group": 64, "rc": 99}}, {"err": {}}]
)
def test_an_error_that_is_not_known_is_an_error_all_the_same(body: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="was refused"):
        check("Sending a file", body)
    assert check("Sending a file", {"off": 3, "rc": 0}) == {"off": 3, "rc": 0}
