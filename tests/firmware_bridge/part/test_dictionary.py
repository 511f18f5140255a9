from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.error import BridgeError
from firmware_bridge.part.dictionary import fetch, read_dictionary

TOLD = {
    "v": 1,
    "sensors": {"t": {"unit": "degC", "least": -40, "most": 85, "period_us": 100000, "accuracy": 1.0}},
    "outputs": {"heater": {"unit": "", "least": 0, "most": 1, "safe": 0, "lease_ms": 5000, "kind": "pwm"}},
    "axes": {"x": {"unit": "um", "least": -50, "most": 50, "step": 0.5, "speed": 20, "homes": True, "backlash": 12}},
    "lease_ms": 5000,
}


class Source:
    """A microcontroller that gives its dictionary in pieces."""

    def __init__(self, told: object = TOLD, *, size: int = 50) -> None:
        self.text = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        self.data = packer.compress(self.text) + packer.flush()
        self.size, self.asked = size, 0
        self.digest = sha256(self.text).digest()

    def __call__(self, offset: int) -> Mapping[str, Any]:
        self.asked += 1
        first = {"len": len(self.data), "raw": len(self.text)} if offset == 0 else {}
        return {"off": offset, "data": self.data[offset : offset + self.size], **first}


def test_a_dictionary_is_fetched_in_pieces_and_read(tmp_path: Path) -> None:
    source = Source()
    dictionary = fetch(source.digest, source, lambda: tmp_path / "kept")
    assert source.asked > 2
    assert dictionary.sensor("t").period_s == 0.1
    assert dictionary.output("heater").lease_s == 5
    assert dictionary.axis("x").backlash_um == 12
    assert dictionary.longest_lease_s == 5


def test_it_is_kept_by_its_hash_and_fetched_once(tmp_path: Path) -> None:
    source = Source()
    first = fetch(source.digest, source, lambda: tmp_path)
    asked = source.asked
    assert fetch(source.digest, source, lambda: tmp_path) == first
    assert source.asked == asked
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(b"{}")
    assert fetch(source.digest, source, lambda: tmp_path) == first
    assert source.asked == 2 * asked


def test_a_home_that_cannot_be_written_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    source = Source()
    assert fetch(source.digest, source, lambda: tmp_path / "file/folder").axis("x").homes


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    for number in range(40):
        source = Source({**TOLD, "lease_ms": 1000 + number})
        fetch(source.digest, source, lambda: tmp_path)
    assert len(list(tmp_path.iterdir())) == 32


def test_a_piece_that_is_damaged_or_missing_is_told(tmp_path: Path) -> None:
    source = Source()
    with pytest.raises(BridgeError, match="came damaged"):
        fetch(b"\0" * 32, source, lambda: tmp_path)
    whole = source.data
    source.data = whole[:-3] + b"\0\0\0"
    with pytest.raises(BridgeError, match="came damaged"):
        fetch(source.digest, source, lambda: tmp_path)
    for answer in ({}, {"off": 0, "data": b"", "len": 5}, {"off": 3, "data": b"x", "len": 5}, {"off": 0, "data": b"x"}):
        with pytest.raises(BridgeError, match="came damaged"):
            fetch(source.digest, lambda offset, answer=answer: answer, lambda: tmp_path)  # type: ignore[misc]


@pytest.mark.parametrize(
    "told", [{}, [], {"v": 2}, {**TOLD, "outputs": {"heater": {}}}, {**TOLD, "sensors": []}, {**TOLD, "lease_ms": "x"}]
)
def test_what_is_no_dictionary_is_told(told: object) -> None:
    with pytest.raises(BridgeError, match="cannot be understood"):
        read_dictionary(json.dumps(told).encode())


@pytest.mark.parametrize("wrong", [pytest.param(10**400, id="huge"), float("inf"), float("nan"), "1", True, [1]])
@pytest.mark.parametrize("where", ["sensors.t.least", "outputs.heater.most", "outputs.heater.safe", "axes.x.least", ""])
def test_a_number_that_nothing_can_be_held_against_is_told(where: str, wrong: object) -> None:
    told: dict[str, Any] = json.loads(json.dumps(TOLD))
    *way, last = where.split(".") if where else ["lease_ms"]
    entry = told
    for part in way:
        entry = entry[part]
    entry[last] = wrong
    with pytest.raises(BridgeError, match="cannot be understood"):
        read_dictionary(json.dumps(told).encode())


def test_a_dictionary_that_would_fill_the_memory_is_not_inflated(tmp_path: Path) -> None:
    source = Source({**TOLD, "more": "x" * (1 << 24)})
    with pytest.raises(BridgeError, match="came damaged"):
        fetch(source.digest, source, lambda: tmp_path)


def test_a_dictionary_that_finds_no_room_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, other: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    source = Source()
    assert fetch(source.digest, source, lambda: tmp_path).axis("x").homes
    assert list(tmp_path.iterdir()) == []
