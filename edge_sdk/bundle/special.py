"""Tokens that a bundle names: where a text starts, where an answer stops, what stands around a picture.

Source: the message TokenUnion of LiteRT-LM 0.18 (field numbers).
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.bundle.wire import Message

__all__ = ["Token", "read_token"]


@dataclass(frozen=True, slots=True)
class Token:
    """A token given by its text, or by its number or numbers; the tokenizer finds the one from the other."""

    text: str = ""
    ids: tuple[int, ...] = ()


def read_token(message: Message | None) -> Token | None:
    """Return a token, or ``None`` where the message names none."""
    if message is None:
        return None
    ids = message.message(1)
    token = Token(text=message.text(2), ids=ids.integers(1) if ids else ())
    return token if token.text or token.ids else None
