from __future__ import annotations

import random
import tracemalloc

import pytest

from firmware_bridge.wire import line
from firmware_bridge.wire.line import LINE_BYTES, LineReader, lines
from firmware_bridge.wire.message import READ, WRITE, Message, MessageError, decode_message, encode_message

SHORT = encode_message(Message(READ, 64, 13, 7, {}))
LONG = encode_message(Message(WRITE, 8, 0, 3, {"off": 0, "data": random.Random(5).randbytes(400), "name": "/slot/a"}))
NEXT = encode_message(Message(WRITE, 64, 5, 8, {"axis": "x"}))
BOOT = b"*** Booting Zephyr OS build v3.7.0 ***\r\n[00:00:00.010,000] <inf> main: ready\r\nMPY: soft reboot\r\n>>> "


def read(data: bytes, most: int = 1024, step: int = 0) -> tuple[list[bytes], LineReader]:
    reader = LineReader(most)
    if not step:
        return reader.feed(data), reader
    return [found for at in range(0, len(data), step) for found in reader.feed(data[at : at + step])], reader


@pytest.mark.parametrize("size", [0, 1, 2, 86, 87, 88, 89, 90, 91, 92, 93, 94, 180, 181, 182, 183, 1000, 65533])
def test_a_message_of_any_length_goes_through_in_lines_that_are_short_enough(size: int) -> None:
    message = random.Random(size).randbytes(size)
    whole = lines(message)
    for number, one in enumerate(whole.splitlines()):
        assert one.startswith(b"\x04\x14" if number else b"\x06\x09")
        assert len(one) <= LINE_BYTES
    assert whole.endswith(b"\n")
    assert read(whole, 70000)[0] == [message]


def test_a_message_that_a_packet_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="65534 bytes does not fit"):
        lines(bytes(65534))


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 127, 128, 1000])
def test_it_does_not_matter_how_the_bytes_come(step: int) -> None:
    stream = BOOT + lines(SHORT) + lines(LONG) + b"noise\n" + lines(NEXT)
    found, reader = read(stream, step=step)
    assert found == [SHORT, LONG, NEXT]
    assert reader.noise_bytes == len(BOOT) + len(b"noise\n")
    assert not any(reader.dropped.values())


@pytest.mark.parametrize("message", [SHORT, LONG], ids=["short", "long"])
def test_after_a_cut_at_any_byte_the_next_frame_is_read(message: bytes) -> None:
    whole = lines(message)
    for cut in range(len(whole)):
        for between in (b"", b"\n", BOOT, b"\r\n" + BOOT):
            found, reader = read(whole[:cut] + between + lines(NEXT))
            complete = cut == len(whole) - 1 and between[:1] in (b"\n", b"\r")
            assert found == ([message, NEXT] if complete else [NEXT])
            assert reader.feed(whole) == [message]


@pytest.mark.parametrize("message", [SHORT, LONG], ids=["short", "long"])
def test_after_a_beginning_lost_at_any_byte_the_next_frame_is_read(message: bytes) -> None:
    whole = lines(message)
    for cut in range(1, len(whole)):
        assert read(whole[cut:] + lines(NEXT))[0] == [NEXT]


def test_a_hole_anywhere_drops_that_message_alone() -> None:
    whole = lines(LONG)
    dice = random.Random(2)
    for start in range(len(whole)):
        hole = 1 + dice.randrange(200)
        found, _ = read(lines(SHORT) + whole[:start] + whole[start + hole :] + lines(NEXT))
        assert found[0] == SHORT
        assert found[-1] == NEXT or start + hole >= len(whole)
        assert LONG not in found


def test_text_before_a_frame_does_not_hide_it() -> None:
    for before in (b">>> ", b"\x06", b"\x04", b"\x06\x09", b"\x06\x09AAAA", b"\x04\x14", b"\x06\x06", bytes(500), BOOT):
        assert read(before + lines(NEXT))[0] == [NEXT], before


def test_a_terminal_that_adds_carriage_returns_does_no_harm() -> None:
    assert read(lines(LONG).replace(b"\n", b"\r\n"))[0] == [LONG]


def test_no_bit_turned_gives_another_message() -> None:
    """A CRC of 16 bits sees each error within 16 bits, and a turned bit changes six at most in base64."""
    dice = random.Random(11)
    for round_ in range(10_000):
        body = {"s": dice.getrandbits(32), "n": round_, "axis": "x", "by": dice.randrange(-5000, 5000)}
        message = encode_message(Message(WRITE, 64, 8, round_ & 255, body))
        if round_ % 4 == 0:
            message += bytes(dice.randrange(200))
        whole = bytearray(lines(message))
        at = dice.randrange(len(whole))
        whole[at] ^= 1 << dice.randrange(8)
        found, reader = read(bytes(whole) + lines(NEXT))
        assert found == [NEXT], round_
        assert reader.feed(lines(SHORT)) == [SHORT]


def test_every_bit_of_a_frame_turned_gives_no_other_message() -> None:
    for message in (SHORT, LONG):
        whole = lines(message)
        for bit in range(8 * len(whole)):
            turned = bytearray(whole)
            turned[bit // 8] ^= 1 << bit % 8
            assert read(bytes(turned) + lines(NEXT))[0] == [NEXT]


class TestWhatIsDropped:
    @pytest.mark.parametrize(
        ("data", "cause", "count"),
        [
            (b"\x06\x09AAA\n", "base64", 1),
            (b"\x06\x09A*AA\n", "base64", 1),
            (b"\x06\x09AAAB====\n", "base64", 1),
            (b"\x06\x09\n", "base64", 1),
            (b"\x06\x09AA==\n", "length", 1),
            (b"\x06\x09AAAA\n", "length", 1),
            (b"\x06\x09AAIAAAAA\n", "length", 1),
            (b"\x06\x09AAMAAAA=\n", "crc", 0),
            (b"\x06\x09AAMBAAA=\n", "crc", 1),
            (b"\x04\x14AAAA\n", "cut", 1),
            (b"\x06\x09" + b"A" * 126 + b"\n", "overrun", 1),
            (b"\x06\x09" + b"A" * 5000, "overrun", 1),
            (b"\x06\x09//8A\n", "overrun", 1),
            (lines(LONG)[:300] + lines(NEXT), "cut", 1),
            (lines(LONG)[:128] + lines(LONG), "cut", 1),
        ],
    )
    def test_is_counted_by_its_cause(self, data: bytes, cause: str, count: int) -> None:
        _, reader = read(data)
        assert reader.dropped == {**dict.fromkeys(reader.dropped, 0), cause: count}

    def test_is_noise_outside_of_lines(self) -> None:
        _, reader = read(BOOT + b"\n")
        assert reader.noise_bytes == len(BOOT) + 1
        assert not any(reader.dropped.values())

    @pytest.mark.parametrize("over", [0, 1])
    def test_is_a_packet_longer_than_what_was_announced(self, over: int) -> None:
        found, reader = read(lines(bytes(60 + over)), most=64)
        assert len(found) == 1 - over
        assert reader.dropped["overrun"] == over


@pytest.mark.parametrize(
    "flood",
    [b"\x06\x09", b"A", b"\n", b"\x06\x09//8A\n", b"\x06\x09A", lines(LONG)[:128], lines(LONG)[128:256], b"\x04\x14AA"],
    ids=repr,
)
def test_memory_stays_what_it_was_whatever_floods_in(flood: bytes) -> None:
    reader = LineReader(1024)
    piece = flood * (4096 // len(flood))
    reader.feed(piece)
    tracemalloc.start()
    try:
        for _ in range(10):
            reader.feed(piece)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 8192
    assert reader.feed(b"\n" + lines(LONG)) == [LONG]


def test_whatever_dice_throw_is_read_without_an_exception() -> None:
    dice = random.Random(4)
    reader = LineReader(512)
    for _ in range(5000):
        for found in reader.feed(dice.choice((dice.randbytes(50), line.FIRST, b"\n", lines(dice.randbytes(20))))):
            with pytest.raises(MessageError):
                decode_message(found)
    assert reader.feed(b"\n" + lines(NEXT))[-1:] == [NEXT]
