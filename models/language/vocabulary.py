"""Write a Hugging Face tokenizer in the form that needs no reading, where it is of the kind that has one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_sdk.bundle.byte_pair import SPECIALS_MAX_BYTES, lay_out
from edge_sdk.bundle.hugging_face import spelled_bytes

__all__ = ["tables"]

_SPLIT = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_DIGITS = {"type": "Digits", "individual_digits": True}
# Settings of the model that change which tokens come out; each has to be as the form has it.
_PLAIN = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback")
_PLAIN_TOKEN = ("lstrip", "rstrip", "single_word", "normalized")


def tables(file: Path) -> bytes | None:
    """Return the tables of a ``tokenizer.json``; None for one that works in another way."""
    about = json.loads(file.read_text("utf-8"))
    model, added = about["model"], about.get("added_tokens") or []
    digits = _digits(about.get("pre_tokenizer"))
    plain = model.get("type") == "BPE" and not any(model.get(name) for name in (*_PLAIN, "ignore_merges"))
    byte_level = (about.get("decoder") or {}).get("type") == "ByteLevel" and about.get("normalizer") is None
    if digits is None or not plain or not byte_level:
        return None
    if any(token.get(name) for token in added for name in _PLAIN_TOKEN):
        return None
    lengths = [len(token["content"].encode()) for token in added]
    if sum(lengths) > SPECIALS_MAX_BYTES or 0 in lengths:
        return None
    numbers = model["vocab"] | {token["content"]: token["id"] for token in added}
    if sorted(numbers.values()) != list(range(len(numbers))):
        return None
    specials = {token["id"] for token in added}
    spellings = [b""] * len(numbers)
    for text, number in numbers.items():
        spellings[number] = text.encode() if number in specials else spelled_bytes(text)
    pairs = [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in model["merges"]]
    merges = [(numbers[left], numbers[right], numbers[left + right]) for left, right in pairs]
    return lay_out(spellings, merges, sorted(specials), digits)


def _digits(step: dict[str, Any] | None) -> bool | None:
    """Say whether every digit is cut off; None where words are told apart in a way that is not known."""
    steps = (step or {}).get("pretokenizers", [step])
    found = [{key: (part or {}).get(key) for key in (_SPLIT if part is steps[-1] else _DIGITS)} for part in steps]
    return len(steps) == 2 if found in ([_SPLIT], [_DIGITS, _SPLIT]) else None
