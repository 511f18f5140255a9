from __future__ import annotations

import random
from binascii import crc_hqx

import pytest

from firmware_bridge.wire import crc_table
from firmware_bridge.wire.crc import crc16


@pytest.mark.parametrize(("text", "crc"), [(b"", 0), (b"123456789", 0x31C3), (b"A", 0x58E5)])
def test_the_values_that_catalogues_give_come_out(text: bytes, crc: int) -> None:
    assert crc16(text) == crc == crc_table.crc_hqx(text, 0)


def test_the_table_gives_what_c_gives() -> None:
    dice = random.Random(1)
    for size in range(300):
        data, start = dice.randbytes(size), dice.randrange(0x10000)
        assert crc_table.crc_hqx(data, start) == crc_hqx(data, start)


def test_it_goes_on_from_what_came_before() -> None:
    assert crc16(memoryview(b"6789"), crc16(b"12345")) == crc16(b"123456789")


def test_a_message_with_its_crc_behind_it_gives_0() -> None:
    assert crc16(b"123456789\x31\xc3") == 0


def test_machine_code_and_bytecode_give_the_same_in_micropython(micropython) -> None:
    script = """
from firmware_bridge.wire.crc import crc16, crc_hqx
from firmware_bridge.wire.crc_table import crc_hqx as by_table
data = bytes(range(256)) * 3
for size in (0, 1, 9, 256, 767):
    for kind in (bytes, bytearray, memoryview):
        for start in (0, 0x8000, 0xFFFF):
            assert crc16(kind(data[:size]), start) == by_table(data[:size], start)
print(crc_hqx is by_table)
"""
    assert micropython.run(script).strip() == str(micropython.kind == "node")
