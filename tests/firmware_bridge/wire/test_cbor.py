from __future__ import annotations

import math
import random
import struct
from typing import Any

import pytest

from firmware_bridge.wire.cbor import LEVELS, CborError, decode, encode

# Of RFC 8949's appendix A, what the subset has: (bytes, value, whether encode writes it so).
EXAMPLES: list[tuple[str, Any, bool]] = [
    ("00", 0, True),
    ("17", 23, True),
    ("1818", 24, True),
    ("1903e8", 1000, True),
    ("1a000f4240", 1000000, True),
    ("1b000000e8d4a51000", 1000000000000, True),
    ("1bffffffffffffffff", 18446744073709551615, True),
    ("3bffffffffffffffff", -18446744073709551616, True),
    ("20", -1, True),
    ("3903e7", -1000, True),
    ("f90000", 0.0, False),
    ("f93c00", 1.0, False),
    ("fb3ff199999999999a", 1.1, True),
    ("f97bff", 65504.0, False),
    ("fa47c35000", 100000.0, False),
    ("fb7e37e43c8800759c", 1.0e300, True),
    ("f90001", 5.960464477539063e-8, False),
    ("f90400", 0.00006103515625, False),
    ("f9c400", -4.0, False),
    ("f97c00", math.inf, False),
    ("f9fc00", -math.inf, False),
    ("f4", False, True),
    ("f5", True, True),
    ("f6", None, True),
    ("40", b"", True),
    ("4401020304", b"\1\2\3\4", True),
    ("60", "", True),
    ("6449455446", "IETF", True),
    ("62c3bc", "\u00fc", True),
    ("64f0908591", "\U00010151", True),
    ("80", [], True),
    ("8301820203820405", [1, [2, 3], [4, 5]], True),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}, True),
    ("5f42010243030405ff", b"\1\2\3\4\5", False),
    ("7f657374726561646d696e67ff", "streaming", False),
    ("9fff", [], False),
    ("9f018202039f0405ffff", [1, [2, 3], [4, 5]], False),
    ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}, False),
    ("bf6346756ef563416d7421ff", {"Fun": True, "Amt": -2}, False),
]


@pytest.mark.parametrize(("written", "value", "ours"), EXAMPLES, ids=[one[0] for one in EXAMPLES])
def test_an_example_of_the_standard_is_read_and_written(written: str, value: Any, ours: bool) -> None:
    found = decode(bytes.fromhex(written))
    assert found == value
    assert type(found) is type(value)
    assert decode(encode(value)) == value
    if ours:
        assert encode(value).hex() == written


def test_every_half_is_read_as_the_standard_library_reads_it() -> None:
    for bits in range(0x10000):
        data = bits.to_bytes(2, "big")
        ours, theirs = decode(b"\xf9" + data), struct.unpack(">e", data)[0]
        assert struct.pack(">d", ours) == struct.pack(">d", theirs) or (math.isnan(ours) and math.isnan(theirs))


REFUSED = {
    "nothing": "",
    "half a head": "19",
    "a string without its end": "43ffff",
    "a string longer than memory": "5bffffffffffffffff00",
    "an array longer than memory": "9bffffffffffffffff00",
    "a map longer than memory": "bbffffffffffffffff",
    "bytes too many": "0000",
    "a tag": "c11a514b67b0",
    "undefined": "f7",
    "a simple value": "f0",
    "a simple value of two bytes": "f8ff",
    "a break alone": "ff",
    "a break for a map's value": "bf6161ff",
    "an array without its end": "9f01",
    "a reserved head": "1c",
    "a whole number without length": "1f",
    "a key that is a number": "a10102",
    "a key that is bytes": "a1416101",
    "a key twice": "a2616101616102",
    "a piece of text in bytes": "5f6161ff",
    "a string without length in another": "5f5f4101ffff",
    "a letter cut over two pieces": "7f61c361bcff",
    "a continuation alone": "6180",
    "a letter longer than needed": "62c081",
    "half of a surrogate pair": "63eda080",
    "a letter beyond the last": "64f4908080",
    "nine levels of arrays": "81" * LEVELS + "80",
    "a thousand levels": "81" * 1000,
    "a thousand levels of maps": "a161" * 1000,
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_the_subset_does_not_have_is_refused(data: str) -> None:
    with pytest.raises(CborError):
        decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    "value",
    [1 << 64, -1 - (1 << 64), object(), {1: 2}, {None: 1}, {"a": {"b": 1j}}, "\ud800", {"\ud800": 1}, range(3)],
    ids=repr,
)
def test_what_has_no_place_is_not_written(value: object) -> None:
    with pytest.raises(CborError):
        encode(value)


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["arrays", "maps"])
def test_eight_levels_go_and_nine_do_not(wrap: Any) -> None:
    value: Any = 5
    for _ in range(LEVELS):
        value = wrap(value)
    assert decode(encode(value)) == value
    with pytest.raises(CborError, match="levels"):
        encode(wrap(value))


def test_every_cut_of_a_value_is_refused() -> None:
    whole = encode({"s": 7, "names": ["a", "bc"], "value": 1.5, "data": bytes(30), "none": None})
    for size in range(len(whole)):
        with pytest.raises(CborError):
            decode(whole[:size])


def test_the_same_map_is_the_same_bytes_in_any_order() -> None:
    assert encode({"b": 1, "a": 2}) == encode({"a": 2, "b": 1})


def test_any_not_a_number_is_written_as_one() -> None:
    other = struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]
    assert encode(other) == encode(math.nan)
    assert math.isnan(decode(encode(other)))


def test_a_view_is_read_like_bytes() -> None:
    data = encode({"data": b"abc", "text": "µ", "whole": 1 << 40, "float": 0.1})
    assert decode(bytearray(data)) == decode(data)
    assert decode(b"head" + data, 4) == decode(data)


def test_another_library_reads_what_is_written_and_writes_what_is_read() -> None:
    cbor2 = pytest.importorskip("cbor2", reason="cbor2 comes with the test extra")
    dice = random.Random(3)
    for _ in range(2000):
        value = _thrown(dice, 6)
        assert cbor2.loads(encode(value)) == value
        assert decode(cbor2.dumps(value)) == value
        assert decode(cbor2.dumps(value, canonical=True)) == value


def _thrown(dice: random.Random, levels: int) -> Any:
    kind = dice.randrange(9 if levels else 7)
    if kind == 7:
        return [_thrown(dice, levels - 1) for _ in range(dice.randrange(4))]
    if kind == 8:
        return {f"key {number}": _thrown(dice, levels - 1) for number in range(dice.randrange(4))}
    size = dice.randrange(64)
    plain = (dice.randrange(1 << size), -1 - dice.randrange(1 << size), dice.uniform(-1e9, 1e9), None, True)
    return (*plain, dice.randbytes(size), "µ" * size)[kind]
