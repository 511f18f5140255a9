"""Text to token numbers and back, the same for every kind of tokenizer; and text that streams.

A token is a run of bytes, and a character may begin in one token and end in the next. The detokenizer works
on bytes, so that what it hands out piece by piece is, put together, what decoding all tokens at once gives.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from enum import Enum
from typing import Protocol

from edge_sdk.bundle.special import Token

__all__ = ["Detokenizer", "LeadingSpace", "Tokenizer", "decode", "token_ids"]

_Utf8 = codecs.getincrementaldecoder("utf-8")


class LeadingSpace(Enum):
    """What becomes of spaces in front of the first word, which tokenizers put there themselves."""

    KEEP = "keep"
    DROP_ONE = "drop one"
    DROP_ALL = "drop one of each token, until there is text"


class Tokenizer(Protocol):
    """What a bundle's tokenizer can do; nothing is added at either end of a text."""

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""

    @property
    def leading_space(self) -> LeadingSpace:
        """What becomes of the spaces that the first tokens begin with."""

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""

    def piece(self, token: int, at_start: bool = False) -> bytes:
        """Return the bytes that a token stands for, at the start of a text without a space that leads it.

        None for a token out of range.
        """

    def token_id(self, text: str) -> int | None:
        """Return the token that is spelled exactly so, special ones too; ``None`` where there is none."""


class Detokenizer:
    r"""Turn tokens into text one by one, holding back the bytes of a character that is not complete.

    Examples
    --------
    >>> class Letters:
    ...     vocab_size, leading_space = 4, LeadingSpace.DROP_ONE
    ...     def piece(self, token, at_start=False):
    ...         spelled = [b" a", b"\xc3", b"\xa9", b" b"][token]
    ...         return spelled.lstrip() if at_start else spelled
    ...     def encode(self, text): return []
    ...     def token_id(self, text): return None
    >>> detokenizer = Detokenizer(Letters())
    >>> [detokenizer.push(token) for token in (0, 1, 2, 3)], detokenizer.flush()
    (['a', '', 'é', ' b'], '')
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._piece = tokenizer.piece
        self._leading = tokenizer.leading_space
        self._decoder = _Utf8("replace")

    def push(self, token: int) -> str:
        """Return the text that a further token completes; often all of it, sometimes none."""
        data = self._piece(token)
        if self._leading is not LeadingSpace.KEEP and data:
            data = self._piece(token, True)
            if data or self._leading is LeadingSpace.DROP_ONE:
                self._leading = LeadingSpace.KEEP
        return self._decoder.decode(data)

    def flush(self) -> str:
        """Return what is left at the end: a replacement character for one that was never completed."""
        return self._decoder.decode(b"", final=True)


def decode(tokenizer: Tokenizer, tokens: Iterable[int]) -> str:
    """Return the text of tokens."""
    detokenizer = Detokenizer(tokenizer)
    return "".join(detokenizer.push(token) for token in tokens) + detokenizer.flush()


def token_ids(token: Token | None, tokenizer: Tokenizer) -> tuple[int, ...]:
    """Return the numbers of a token that a bundle names by number or by text; none for ``None``."""
    if token is None:
        return ()
    if token.ids:
        return token.ids
    known = tokenizer.token_id(token.text)
    return (known,) if known is not None else tuple(tokenizer.encode(token.text))
