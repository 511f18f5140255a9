"""Tokenizers of Hugging Face (``tokenizer.json``), the optional library ``tokenizers`` behind them.

Source: the decoders of the library ``tokenizers`` (their names and settings as ``tokenizer.json`` has them).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

from edge_sdk.bundle.tokenizer import LeadingSpace
from edge_sdk.errors import BundleError, MissingDependency

__all__ = ["HuggingFace", "spelled_bytes"]

_SIZE_MAX_BYTES = 128 << 20  # Gemma's has 33 MB; the file says how much it will be, and need not be right
_SPACE = "\u2581"


class HuggingFace:
    """A Hugging Face tokenizer out of a bundle.

    Parameters
    ----------
    view : memoryview
        Eight bytes with the length of the JSON, then the JSON, compressed with zlib.
    name : str
        The path and the section, for errors.

    Raises
    ------
    BundleError
        The bytes are no such tokenizer, or it decodes in a way that is not known here.
    MissingDependency
        The library is not installed.
    """

    def __init__(self, view: memoryview, name: str) -> None:
        library = _library()
        text = _unpack(view, name)
        try:
            self._tokenizer = library.Tokenizer.from_str(text)
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
            settings = json.loads(self._tokenizer.decoder.__getstate__()) if self._tokenizer.decoder else {}
        except BaseException as error:
            # The library is Rust: where it panics, it raises what is no Exception.
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            raise BundleError(f"{name} cannot be read as a tokenizer.", why=str(error)) from error
        self.vocab_size = int(self._tokenizer.get_vocab_size())
        self._bytes, self.leading_space = _decoding(settings, name)

    def __repr__(self) -> str:
        return f"<HuggingFace tokenizer of {self.vocab_size} tokens>"

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def piece(self, token: int, at_start: bool = False) -> bytes:
        """Return the bytes that a token stands for."""
        text = self._tokenizer.id_to_token(token) if token >= 0 else None
        if text is None:
            return b""
        return self._bytes(text.removeprefix(_SPACE) if at_start else text)

    def token_id(self, text: str) -> int | None:
        """Return the token that is spelled exactly so, special ones too; ``None`` where there is none."""
        token: int | None = self._tokenizer.token_to_id(text)
        return token


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise MissingDependency(
            "This bundle's tokenizer needs the library tokenizers.",
            why=str(error),
            fix="pip install 'edge-sdk[hf]'",
        ) from error
    return tokenizers


def _unpack(view: memoryview, name: str) -> str:
    """Return the JSON, never unpacking more than it says and than is allowed."""
    size = int.from_bytes(view[:8], "little")
    if size > _SIZE_MAX_BYTES:
        raise BundleError(f"{name} claims to unpack to {size} bytes.", why=f"{_SIZE_MAX_BYTES} are the most.")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(view[8:], size + 1)
        text = data.decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise BundleError(f"{name} cannot be unpacked.", why=str(error)) from error
    if len(data) != size or not unpacker.eof:
        raise BundleError(f"{name} unpacks to another size than the {size} bytes it claims.")
    return text


def _decoding(settings: dict[str, Any], name: str) -> tuple[Callable[[str], bytes], LeadingSpace]:
    """Return how a token's spelling becomes bytes, and what becomes of a leading space."""
    steps = settings.get("decoders", []) if settings.get("type") == "Sequence" else [settings]
    kinds = [step.get("type") for step in steps]
    if kinds == ["ByteLevel"]:
        return spelled_bytes, LeadingSpace.KEEP
    if kinds == ["Metaspace"]:
        never = steps[0].get("prepend_scheme", "always") == "never"
        return _meta_space, LeadingSpace.KEEP if never else LeadingSpace.DROP_ONE
    spaces = {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "}
    strips = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    allowed = ({"type": "ByteFallback"}, {"type": "Fuse"}, spaces, strips)
    if spaces in steps and all(step in allowed for step in steps):
        return _byte_fallback, LeadingSpace.DROP_ONE if strips in steps else LeadingSpace.KEEP
    raise BundleError(
        f"{name} turns tokens into text in a way that is not known here.",
        why=f"Its decoder is {kinds}; ByteLevel, Metaspace and ByteFallback with {_SPACE} are known.",
    )


def _byte_table() -> dict[str, int]:
    """Return the letters by which byte-level tokenizers spell bytes (GPT-2's table)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _byte_table()


def spelled_bytes(text: str) -> bytes:
    """Return the bytes that the spelling of a byte-level token stands for."""
    try:
        return bytes(_BYTES[letter] for letter in text)
    except KeyError:  # a special token spelled as plain text
        return text.encode()


def _meta_space(text: str) -> bytes:
    return text.replace(_SPACE, " ").encode()


def _byte_fallback(text: str) -> bytes:
    if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
        try:
            return bytes([int(text[3:5], 16)])
        except ValueError:
            pass
    return _meta_space(text)
