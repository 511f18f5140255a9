"""Tokenizers of SentencePiece, the library of that name behind them.

Source: sentencepiece_model.proto (field numbers); what the library's own decoding does with a leading space.
"""

from __future__ import annotations

from typing import Any

from edge_sdk.bundle.tokenizer import LeadingSpace
from edge_sdk.bundle.wire import Message
from edge_sdk.errors import BundleError, MissingDependency

__all__ = ["SentencePiece"]

_SIZE_MAX_BYTES = 64 << 20  # the largest in the wild (256 000 pieces) have 5 MB
_SPACE = "\u2581"
_KEPT = 1024  # pieces, a tenth of a megabyte: the library is asked up to five things for each


class SentencePiece:
    """A SentencePiece model out of a bundle.

    Parameters
    ----------
    view : memoryview
        The serialized model, ``(n,)`` uint8.
    name : str
        The path and the section, for errors.

    Raises
    ------
    BundleError
        The bytes are no SentencePiece model.
    MissingDependency
        The library is not installed.
    """

    def __init__(self, view: memoryview, name: str) -> None:
        if len(view) > _SIZE_MAX_BYTES:
            raise BundleError(f"{name} has {len(view)} bytes.", why=f"{_SIZE_MAX_BYTES} are the most.")
        self.leading_space = _leading_space(view, name)
        processor = _library().SentencePieceProcessor()
        try:
            processor.LoadFromSerializedProto(bytes(view))
            self.vocab_size = int(processor.GetPieceSize())
        except (RuntimeError, OSError, ValueError) as error:
            raise BundleError(f"{name} cannot be read as a tokenizer.", why=str(error)) from error
        self._processor = processor
        self._pieces: dict[tuple[int, bool], bytes] = {}

    def __repr__(self) -> str:
        return f"<SentencePiece of {self.vocab_size} tokens>"

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return list(self._processor.EncodeAsIds(text))

    def piece(self, token: int, at_start: bool = False) -> bytes:
        """Return the bytes that a token stands for; none for control tokens."""
        found = self._pieces.get((token, at_start))
        if found is None:
            found = self._piece(token, at_start)
            if len(self._pieces) < _KEPT:
                self._pieces[token, at_start] = found
        return found

    def _piece(self, token: int, at_start: bool) -> bytes:
        processor = self._processor
        if not 0 <= token < self.vocab_size or processor.IsControl(token):
            return b""
        if processor.IsUnknown(token):
            return " \u2047 ".encode()  # the library's own sign for it
        text = str(processor.IdToPiece(token))
        if processor.IsByte(token):
            return bytes([int(text[3:5], 16)])  # spelled <0xE2>
        return (text.removeprefix(_SPACE) if at_start else text).replace(_SPACE, " ").encode()

    def token_id(self, text: str) -> int | None:
        """Return the token that is spelled exactly so, ``None`` where there is none."""
        token = int(self._processor.PieceToId(text))
        return token if str(self._processor.IdToPiece(token)) == text else None


def _library() -> Any:
    try:
        import sentencepiece
    except ImportError as error:
        raise MissingDependency(
            "This bundle's tokenizer needs the library sentencepiece.",
            why=str(error),
            fix="pip install sentencepiece (on 32-bit Arm: apt install python3-sentencepiece)",
        ) from error
    return sentencepiece


def _leading_space(view: memoryview, name: str) -> LeadingSpace:
    normalizer = Message(view, name, only=frozenset({3})).message(3)
    adds_space = not normalizer or normalizer.integer(3, 1)
    if not normalizer or normalizer.integer(4, 1):
        return LeadingSpace.DROP_ALL
    return LeadingSpace.DROP_ONE if adds_space else LeadingSpace.KEEP
