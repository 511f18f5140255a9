"""How pictures enter the prompt of a bundle's language model.

Source: the message LlmModelType of LiteRT-LM 0.18 (field numbers), and what its conversation code does for
each type where the bundle itself does not say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge_sdk.bundle.special import Token, read_token
from edge_sdk.bundle.wire import Message
from edge_sdk.errors import BundleError

__all__ = ["Vision", "read_vision"]


@dataclass(frozen=True, slots=True)
class Vision:
    """How pictures enter the prompt.

    Wherever the rendered prompt has one of ``markers``, it is cut: what stands before it, ``prefix`` and
    ``start`` are one piece of text, then the visual tokens, then ``end`` if ``adds_end``, and ``suffix``.
    Sizes are in pixels, 0 where the bundle leaves them to the encoder's input; ``patches_max`` is above 0 for
    encoders that take a picture as a list of patches.
    """

    markers: tuple[str, ...]
    start: Token | None = None
    end: Token | None = None
    prefix: str = ""
    suffix: str = ""
    adds_end: bool = False
    height_px: int = 0
    width_px: int = 0
    patch_height_px: int = 0
    patch_width_px: int = 0
    patches_max: int = 0


def read_vision(message: Message, model_type: str, name: str) -> Vision | None:
    """Return what a model type says of pictures, ``None`` where it knows none.

    Parameters
    ----------
    message : Message
        What LlmModelType holds for the type, which ``model_type`` names.
    name : str
        The path and the section, for errors.

    Raises
    ------
    BundleError
        The marker of a picture is a pattern and not a text.
    """
    start, end = read_token(message.message(1)), read_token(message.message(2))
    if model_type in ("gemma3", "gemma3n"):
        return Vision(
            markers=("<start_of_image>", "<image_soft_token>"),
            start=start or Token("<start_of_image>"),
            end=end or Token("<end_of_image>"),
            prefix="\n\n",
            suffix="\n\n",
            height_px=message.integer(3),
            width_px=message.integer(4),
        )
    if model_type == "fast_vlm":
        return Vision(("<image_soft_token>",), height_px=message.integer(3), width_px=message.integer(4))
    if model_type == "gemma4":
        return Vision(
            markers=("<start_of_image>", "<|image|>"),
            start=start or Token("<|image>"),
            end=end or Token("<image|>"),
            adds_end=True,
            patch_height_px=message.integer(16),
            patch_width_px=message.integer(15),
            patches_max=message.integer(17),
        )
    return _generic(message, name) if model_type == "generic_model" and message.integer(3) else None


def _generic(message: Message, name: str) -> Vision:
    pattern = message.text(6) or message.text(5)
    return Vision(
        markers=_markers(pattern, name) if pattern else ("<start_of_image>",),
        start=read_token(message.message(14)),
        end=read_token(message.message(15)),
        prefix=message.text(16),
        suffix=message.text(17),
        adds_end=bool(message.integer(18)),
        height_px=message.integer(8),
        width_px=message.integer(9),
        patch_height_px=message.integer(11),
        patch_width_px=message.integer(10),
        patches_max=message.integer(12),
    )


def _markers(pattern: str, name: str) -> tuple[str, ...]:
    r"""Return the texts between which a pattern chooses.

    The pattern is the publisher's, and Python's engine can be made to search forever; texts cannot.

    Examples
    --------
    >>> _markers(r"(<frame>|<\|image\|>)", "a.litertlm")
    ('<frame>', '<|image|>')
    """
    bare = pattern[1:-1] if pattern.startswith("(") and pattern.endswith(")") else pattern
    texts = []
    for text in re.split(r"(?<!\\)\|", bare):
        plain = re.sub(r"\\(\W)", r"\1", text)
        if not text or re.search(r"(?<!\\)[.^$*+?{}\[\]()]|\\\w", text):
            raise BundleError(
                f"{name} marks pictures by the pattern {pattern!r}.",
                why="Only a text, or several with | between them, are known here.",
            )
        texts.append(plain)
    return tuple(texts)
