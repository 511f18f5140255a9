"""Byte-pair tokenizers out of a form that is used where it lies in the file.

Hugging Face's ``tokenizer.json`` of 49152 words takes its library a tenth of a second and 42 MB to read. Laid out as
sorted tables it takes nothing: a word that is looked for is found by halving. Bundles that this project exports carry
the second form beside the first, in a generic section (`SECTION`), where it stands for the same tokens.

Source: byte-level byte-pair encoding, Radford et al. 2019 (GPT-2), and its pattern of words.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from heapq import heappop, heappush
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle.tokenizer import LeadingSpace
from edge_sdk.errors import BundleError

__all__ = ["SECTION", "SPECIALS_MAX_BYTES", "BytePair", "lay_out"]

SECTION = "edge_sdk_tokenizer"
_MAGIC = b"EDGEBPE1"
# Numbers of tokens, of merges and of special tokens, bytes of all spellings, and whether digits stand alone.
_HEADER = struct.Struct("<8sIIIII4x")
_WORDS_KEPT = 1 << 12
# Of all special tokens together: to make one pattern of them takes a hundred times the room.
SPECIALS_MAX_BYTES = 1 << 17
_GONE = -1  # stands for a token that is part of the one before it
# The classes of letters stand for themselves here: see `_Classes`.
_WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[a-zA-Z]+| ?[0-9]+| ?[^\sa-zA-Z0-9]+|\s+(?!\S)|\s+", re.ASCII)
_DIGIT_OR_NOT = re.compile("[0-9]|[^0-9]+")
# White_Space of Unicode beyond ASCII. Source: PropList.txt.
_SPACES = frozenset([0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000])


class _Classes(dict[int, str]):
    """What stands for a character while words are told apart: an ASCII one of its kind."""

    def __missing__(self, code: int) -> str:
        kind = unicodedata.category(chr(code))[0]
        if code < 128:
            found = chr(code)
        elif code in _SPACES:
            found = "\v"
        else:
            found = {"L": "a", "N": "0"}.get(kind, "!")
        self[code] = found
        return found


_CLASSES = _Classes()


class BytePair:
    """A byte-level byte-pair tokenizer.

    Parameters
    ----------
    view : memoryview
        What `lay_out` wrote.
    name : str
        The path and the section, for errors.

    Raises
    ------
    BundleError
        The bytes are not that, or damaged.
    """

    leading_space = LeadingSpace.KEEP

    def __init__(self, view: memoryview, name: str) -> None:
        parts = _parts(view, name)
        self._offsets, self._order, specials, singles, self._pairs, self._ranks, self._merged, self._text = parts
        self.vocab_size = len(self._order)
        self._digits = bool(_HEADER.unpack_from(view)[5])
        self._singles = list(singles)
        self._specials = {self._spelling(token).decode("utf-8", "replace"): token for token in specials}
        longest_first = sorted(self._specials, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, longest_first))) if specials else None
        self._encode_word = cache(self._merge)

    def __repr__(self) -> str:
        return f"<byte-pair tokenizer of {self.vocab_size} tokens>"

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        found: list[int] = []
        start = 0
        for special in self._special.finditer(text) if self._special else ():
            self._encode_plain(text[start : special.start()], found)
            found.append(self._specials[special[0]])
            start = special.end()
        self._encode_plain(text[start:], found)
        return found

    def piece(self, token: int, at_start: bool = False) -> bytes:
        """Return the bytes that a token stands for."""
        return self._spelling(token) if 0 <= token < self.vocab_size else b""

    def token_id(self, text: str) -> int | None:
        """Return the token that is spelled exactly so, special ones too; ``None`` where there is none."""
        wanted = text.encode("utf-8", "replace")
        at = bisect_left(self._order, wanted, key=self._spelling)
        if at < self.vocab_size and self._spelling(self._order[at]) == wanted:
            return int(self._order[at])
        return None

    def _spelling(self, token: int) -> bytes:
        return bytes(self._text[self._offsets[token] : self._offsets[token + 1]])

    def _encode_plain(self, text: str, found: list[int]) -> None:
        if not text:
            return
        if self._encode_word.cache_info().currsize > _WORDS_KEPT:
            self._encode_word.cache_clear()
        for word in _words(text, self._digits):
            found.extend(self._encode_word(word))

    def _merge(self, word: str) -> tuple[int, ...]:
        """Merge the bytes of a word, the pair of the lowest rank first, until none is left that merges.

        A word may be long, a line of Chinese or of base64: what merges next stands in a heap.
        """
        tokens = [self._singles[byte] for byte in word.encode("utf-8", "replace")]
        before, after = list(range(-1, len(tokens) - 1)), list(range(1, len(tokens) + 1))
        heap: list[tuple[int, int, int, int, int]] = []

        def note(at: int, then: int) -> None:
            if at >= 0 and then < len(tokens) and (found := self._pair(tokens[at], tokens[then])):
                heappush(heap, (found[0], at, tokens[at], tokens[then], found[1]))

        for at, then in enumerate(after):
            note(at, then)
        while heap:
            _, at, left, right, merged = heappop(heap)
            then = after[at]
            if then >= len(tokens) or (tokens[at], tokens[then]) != (left, right):
                continue  # one of the two was merged with its other neighbour
            tokens[at], tokens[then], after[at] = merged, _GONE, after[then]
            if after[at] < len(tokens):
                before[after[at]] = at
            note(before[at], at)
            note(at, after[at])
        return tuple(token for token in tokens if token != _GONE)

    def _pair(self, left: int, right: int) -> tuple[int, int] | None:
        """Return the rank of a pair and what it becomes; None where it does not merge."""
        key = left << 32 | right
        at = bisect_left(self._pairs, key)
        if at < len(self._pairs) and self._pairs[at] == key:
            return self._ranks[at], self._merged[at]
        return None


def _words(text: str, digits: bool) -> Iterator[str]:
    classes = text if text.isascii() else text.translate(_CLASSES)
    for run in _DIGIT_OR_NOT.finditer(classes) if digits else (None,):
        start, stop = run.span() if run else (0, len(text))
        # A pattern looks ahead: what stands behind the run must not be seen.
        for word in _WORD.finditer(classes[start:stop] if run else classes):
            yield text[start + word.start() : start + word.end()]


def _layout(
    tokens: int, merges: int, specials: int, text_bytes: int
) -> Iterator[tuple[int, int, Literal["I", "Q", "B"]]]:
    """Yield where each table begins and ends, and its kind."""
    counts: tuple[tuple[int, Literal["I", "Q", "B"]], ...] = (
        (tokens + 1, "I"),
        (tokens, "I"),
        (specials, "I"),
        (256, "I"),
        (merges, "Q"),
        (merges, "I"),
        (merges, "I"),
        (text_bytes, "B"),
    )
    at = _HEADER.size
    for count, kind in counts:
        size = count * struct.calcsize(kind)
        yield at, at + size, kind
        at += -(-size // 8) * 8


def _parts(view: memoryview, name: str) -> list[memoryview]:
    try:
        magic, *counts = _HEADER.unpack_from(view)
    except struct.error:
        magic = b""
    if magic != _MAGIC:
        raise BundleError(f"{name} is no tokenizer of a kind known here.")
    spans = list(_layout(*counts[:4]))
    if spans[-1][1] > len(view):
        raise BundleError(f"{name} is cut off: {len(view)} bytes of {spans[-1][1]}.", fix="Copy the file again.")
    parts = [view[begin:end].cast(kind) for begin, end, kind in spans]
    offsets, order, specials, singles, pairs, _, merged, text = (np.asarray(part) for part in parts)
    numbers = (order, specials, singles, merged)
    sound = all(int(part.max(initial=0)) < counts[0] for part in numbers) and offsets[0] == 0
    sound = sound and not np.any(offsets[1:] < offsets[:-1]) and offsets[-1] == len(text)
    lengths = np.diff(offsets.astype(np.int64))[specials] if sound else offsets
    if not sound or not _few(lengths) or np.any(pairs[1:] <= pairs[:-1]):
        raise BundleError(f"{name} is damaged.", why="Its tables do not fit together.", fix="Copy the file again.")
    return parts


def _few(lengths: npt.NDArray[np.generic]) -> bool:
    """Say whether special tokens are none of them empty, and short enough all together."""
    return not lengths.size or bool(lengths.min() > 0 and lengths.sum() <= SPECIALS_MAX_BYTES)


def lay_out(
    spellings: Sequence[bytes], merges: Sequence[tuple[int, int, int]], specials: Sequence[int], digits: bool
) -> bytes:
    """Write the tables of a tokenizer.

    Parameters
    ----------
    spellings : sequence of bytes
        What each token stands for; every single byte is one of them.
    merges : sequence of (int, int, int)
        Pairs of tokens with what they become, the first to be merged first.
    specials : sequence of int
        Tokens that are found in a text before it is cut into words.
    digits : bool
        Every digit is a word of its own.
    """
    lengths = np.cumsum([0, *map(len, spellings)], dtype=np.uint32)
    others = {token: text for token, text in enumerate(spellings) if token not in set(specials)}
    byte = {text[0]: token for token, text in others.items() if len(text) == 1}
    keys = np.array([left << 32 | right for left, right, _ in merges], np.uint64)
    by_key: npt.NDArray[np.int64] = np.argsort(keys, kind="stable")
    tables: tuple[npt.NDArray[np.generic], ...] = (
        lengths,
        np.array(sorted(range(len(spellings)), key=spellings.__getitem__), np.uint32),
        np.array(specials, np.uint32),
        np.array([byte[value] for value in range(256)], np.uint32),
        keys[by_key],
        by_key.astype(np.uint32),
        np.array([merged for _, _, merged in merges], np.uint32)[by_key],
        np.frombuffer(b"".join(spellings), np.uint8),
    )
    counts = (len(spellings), len(merges), len(specials), int(lengths[-1]))
    spans = list(_layout(*counts))
    out = bytearray(spans[-1][1])
    _HEADER.pack_into(out, 0, _MAGIC, *counts, digits)
    for (begin, end, _), table in zip(spans, tables, strict=True):
        out[begin:end] = table.tobytes()
    return bytes(out)
