"""The decoder's own tokenizer."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import question
import tokenizer


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory):
    rng = random.Random(1)
    kinds = (*question.LOOKING, "help", "medical", "finer", "off")
    lines = [question.ask(rng.choice(kinds), rng).text.strip() or "?" for _ in range(4000)]
    path: Path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    tokenizer.train_tokenizer(lines, path)
    return tokenizer.load_tokenizer(path)


def test_a_number_up_to_99_is_one_token(pieces):
    for number in range(100):
        ids = pieces.encode(f"{number}")
        assert len(ids) == 1, number
        assert pieces.decode(ids) == str(number)


def test_every_mark_of_a_conversation_is_one_token(pieces):
    marks = [tokenizer.ASK, tokenizer.FRAME, tokenizer.ANSWER, tokenizer.STOP]
    assert [len(pieces.encode(mark)) for mark in marks] == [1, 1, 1, 1]
    assert len({pieces.encode(mark)[0] for mark in marks}) == 4


def test_chunks_tokenized_apart_are_the_whole_tokenized_at_once_at_a_mark(pieces):
    text = "How many platelets are there?"
    apart = pieces.encode(tokenizer.ASK) + pieces.encode(text + tokenizer.ANSWER)
    assert pieces.encode(tokenizer.ASK + text + tokenizer.ANSWER) == apart


@pytest.mark.parametrize("text", ["Zählt die Zellen!", "細胞はいくつ?", "  two  spaces ", "🙂", "a\nb", "100"])
def test_any_text_comes_back_whole(pieces, text: str):
    assert pieces.decode(pieces.encode(text)) == text


def test_the_vocabulary_has_its_size(pieces):
    assert pieces.vocab_size() == tokenizer.VOCABULARY
