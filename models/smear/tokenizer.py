"""The decoder's own tokenizer: SentencePiece, whole numbers as single tokens, bytes for the rest."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece

VOCABULARY = 1024
# The most tokens of a conversation.
CACHE_LENGTH = 256
# A frame's tokens stand behind FRAME; a question between ASK and ANSWER; STOP ends an answer.
ASK, ANSWER, STOP, FRAME = "<ask>", "<answer>", "<stop>", "<frame>"
LARGEST_NUMBER = 99


def train_tokenizer(lines: Iterable[str], path: Path) -> None:
    """Train on ``lines`` and write the model file."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=VOCABULARY,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_digits=True,
        user_defined_symbols=[ASK, ANSWER, STOP, FRAME, *(str(n) for n in range(LARGEST_NUMBER + 1))],
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=1,
        num_threads=1,
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())


def load_tokenizer(path: Path) -> sentencepiece.SentencePieceProcessor:
    """Load a model file."""
    return sentencepiece.SentencePieceProcessor(model_file=str(path))
