"""The dictionary's bytes are the same wherever they are made, and inflate alike."""

from __future__ import annotations

import json
import random
import zlib

import pytest

from firmware_bridge.firmware import dictionary


@pytest.mark.parametrize("size", [0, 1, 1000, 65_535, 65_536, 200_000])
def test_stored_and_packed_inflate_to_the_same(size):
    data = random.Random(size).randbytes(size)
    assert zlib.decompress(dictionary.stored(data), -15) == data
    assert zlib.decompress(dictionary.deflated(data), -15) == data


def test_without_a_deflater_it_is_stored(monkeypatch):
    monkeypatch.setattr(dictionary, "zlib", None)
    monkeypatch.setattr(dictionary, "deflate", None)
    assert dictionary.deflated(b"abc") == dictionary.stored(b"abc")


def test_json_is_sorted_and_without_white_space():
    value = {"b": [1, -2.5, True, None], "a": {"é": 'x"\\\n'}}
    text = dictionary.encode(value)
    assert text == '{"a":{"é":"x\\"\\\\\\u000a"},"b":[1,-2.5,true,null]}'
    assert json.loads(text) == value
