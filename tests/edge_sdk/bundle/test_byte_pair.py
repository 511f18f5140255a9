"""Tests for byte-pair tokenizers that are used where they lie."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from edge_sdk.bundle.byte_pair import BytePair, lay_out
from edge_sdk.errors import BundleError

BYTES = [bytes([value]) for value in range(256)]
# th, the, " the", an; the last token is special.
WORDS = [b"th", b"the", b" the", b"an", b"<end>"]
MERGES = [(ord("t"), ord("h"), 256), (256, ord("e"), 257), (ord(" "), 257, 258), (ord("a"), ord("n"), 259)]


def _tokenizer(*, digits: bool = False) -> BytePair:
    return BytePair(memoryview(lay_out([*BYTES, *WORDS], MERGES, [260], digits)), "it")


def _pieces(text: str, *, digits: bool = False) -> list[bytes]:
    tokenizer = _tokenizer(digits=digits)
    return [tokenizer.piece(token) for token in tokenizer.encode(text)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("the", [b"the"]),
        ("the the", [b"the", b" the"]),
        ("thane", [b"th", b"an", b"e"]),
        ("the<end>th", [b"the", b"<end>", b"th"]),
        ("a  the", [b"a", b" ", b" the"]),
        ("", []),
    ],
)
def test_pairs_merge_by_rank_within_words(text: str, pieces: list[bytes]) -> None:
    assert _pieces(text) == pieces


@pytest.mark.parametrize(
    "text", ["Ünïcode: 2 µm, 37 °C — ok?", "二つ\u3000三つ", "½ Ⅷ ١٢", "a\u00a0b\x85c", "🙂\n\n\t x"]
)
def test_every_text_comes_back(text: str) -> None:
    assert b"".join(_pieces(text)) == text.encode()
    assert b"".join(_pieces(text, digits=True)) == text.encode()


def test_a_letter_of_any_script_does_not_end_a_word() -> None:
    # Were é no letter, " é" and "the" would be two words and the second would merge on its own just the same; but
    # "th" before é merges, and " the" must not form across a word's beginning.
    assert _pieces("éthe") == [b"\xc3", b"\xa9", b"the"]
    assert _pieces("é the") == [b"\xc3", b"\xa9", b" the"]


def test_a_word_of_any_length_merges_as_if_each_pair_were_looked_for_in_turn() -> None:
    chance = random.Random(7)
    spellings, merges = list(BYTES), []
    while len(merges) < 60:
        left, right = (chance.choice([*b"abc", *range(256, len(spellings))]) for _ in range(2))
        if all((left, right) != pair[:2] for pair in merges):
            merges.append((left, right, len(spellings)))
            spellings.append(spellings[left] + spellings[right])
    tokenizer = BytePair(memoryview(lay_out(spellings, merges, [], False)), "it")
    for length in (1, 2, 3, 10, 50, 500):
        word = "".join(chance.choices("abc", k=length))
        assert tokenizer.encode(word) == _in_turn(word.encode(), merges), word


def _in_turn(word: bytes, merges: list[tuple[int, int, int]]) -> list[int]:
    """Merge the first of the pairs of the lowest rank, again and again."""
    ranks = {(left, right): (rank, merged) for rank, (left, right, merged) in enumerate(merges)}
    tokens = list(word)
    while found := [(*ranks[pair], at) for at, pair in enumerate(pairwise(tokens)) if pair in ranks]:
        _, merged, at = min(found)
        tokens[at : at + 2] = [merged]
    return tokens


@pytest.mark.parametrize("special", [b"", b"x" * (1 << 17)], ids=["empty", "long"])
def test_special_tokens_that_make_no_sensible_pattern_are_refused(special: bytes) -> None:
    with pytest.raises(BundleError, match="damaged"):
        BytePair(memoryview(lay_out([*BYTES, b"<end>", special], MERGES[:0], [256, 257], False)), "it")


def test_one_special_token_told_very_often_is_refused() -> None:
    with pytest.raises(BundleError, match="damaged"):
        BytePair(memoryview(lay_out([*BYTES, b"<end>"], MERGES[:0], [256] * 40_000, False)), "it")


def test_tokens_are_found_by_their_spelling() -> None:
    tokenizer = _tokenizer()
    assert tokenizer.token_id("<end>") == 260
    assert tokenizer.token_id("the") == 257
    assert tokenizer.token_id("nothing like it") is None


def test_a_number_out_of_range_is_no_text() -> None:
    tokenizer = _tokenizer()
    assert tokenizer.vocab_size == 261
    assert tokenizer.piece(261) == tokenizer.piece(-1) == b""


@pytest.mark.parametrize("cut", [0, 10, 200, -1])
def test_a_tokenizer_cut_off_is_refused(cut: int) -> None:
    whole = lay_out([*BYTES, *WORDS], MERGES, [260], False)
    with pytest.raises(BundleError):
        BytePair(memoryview(whole[:cut]), "it")


def test_a_number_that_points_nowhere_is_refused() -> None:
    damaged = bytearray(lay_out([*BYTES, *WORDS], MERGES, [260], False))
    at = 32 + -(-262 * 4 // 8) * 8  # the first of the tokens in order
    damaged[at : at + 4] = b"\xff\xff\xff\x00"
    with pytest.raises(BundleError, match="damaged"):
        BytePair(memoryview(damaged), "it")


def test_it_cuts_as_the_library_of_hugging_face_does() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    letters = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    spell = dict(zip(range(256), _alphabet(), strict=True))
    names = ["".join(spell[byte] for byte in word) for word in [*BYTES, *WORDS[:4]]]
    pairs = [(names[left], names[right]) for left, right, _ in MERGES]
    vocabulary = {name: number for number, name in enumerate(names)}
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=pairs))
    theirs.pre_tokenizer = letters
    tokenizer = _tokenizer()
    for text in [
        "don't we'll  the\tthan",
        "x1y22 ½the",
        "the\n\n the !!the--an",
        "日本the \u2003the's",
        " the\x1c the",
    ]:
        assert tokenizer.encode(text) == theirs.encode(text).ids, text


def _alphabet() -> list[str]:
    """Return the letter that stands for each byte in GPT-2's spelling."""
    plain = {*range(33, 127), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]
