"""From a rendered prompt to what the decoder is fed: token numbers, and frames at the places that are theirs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_sdk.errors import PromptError

__all__ = ["PictureStyle", "Scissors", "check_question", "message", "split_prompt"]

_KEPT, _KEPT_MAX_LETTERS = 8, 4096


@dataclass(frozen=True, slots=True)
class PictureStyle:
    """How a family of models sets a picture among text.

    Attributes
    ----------
    placeholders : tuple of str
        What the prompt template may write where a picture stands.
    before, after : str
        Text that is put around the picture's tokens in its stead.
    """

    placeholders: tuple[str, ...]
    before: str
    after: str


def split_prompt(text: str, style: PictureStyle | None, pictures: int) -> list[str | int]:
    r"""Cut a rendered prompt at its pictures.

    Parameters
    ----------
    text : str
        What the template gave.
    style : PictureStyle or None
        None where the bundle takes no pictures.
    pictures : int
        How many pictures there are for the placeholders in `text`.

    Returns
    -------
    list of str or int
        Text parts, none of them empty, and between them the pictures' numbers.

    Raises
    ------
    PromptError
        Where the prompt has more or fewer places than there are pictures, as when a question holds the
        placeholder's own text.

    Examples
    --------
    >>> split_prompt("<u>IMG what?</u>", PictureStyle(("IMG",), "<img>", "\n"), 1)
    ['<u><img>', 0, '\n', ' what?</u>']
    """
    if style is None:
        return [text]
    texts = re.split("|".join(re.escape(mark) for mark in style.placeholders), text)
    if len(texts) - 1 != pictures:
        raise PromptError(
            f"The prompt has {len(texts) - 1} places for frames, and there are {pictures} frames.",
            why="The question holds text that this bundle reserves for frames, or its template leaves them out.",
            fix="Take such text out of the question.",
        )
    parts: list[str | int] = []
    for number, piece in enumerate(texts):
        lead = style.after if number else ""
        tail = style.before if number < pictures else ""
        # What follows a picture is a part of its own, as the trained prompts have it: tokens never span the seam.
        parts += [part for part in (lead, piece + tail) if part]
        if number < pictures:
            parts.append(number)
    return parts


class Scissors:
    """Cuts rendered prompts into tokens, and frames' numbers between them; belongs to one thread at a time.

    The latest are kept: the same is asked about frame after frame, and to tokenize it takes a hundredth of a small
    bundle's first word.

    Parameters
    ----------
    style : PictureStyle or None
        None where the bundle takes no pictures.
    encode : function
        Tokenizes.

    Examples
    --------
    >>> Scissors(PictureStyle(("IMG",), "", ""), lambda text: [len(text)]).cut("<u>IMG what?</u>", 1)
    [[3], 0, [10]]
    """

    def __init__(self, style: PictureStyle | None, encode: Callable[[str], list[int]]) -> None:
        self._style, self._encode = style, encode
        self._kept: dict[tuple[str, int], list[list[int] | int]] = {}

    def cut(self, text: str, pictures: int) -> list[list[int] | int]:
        """Give the parts of a prompt with so many pictures; see `split_prompt`."""
        parts = self._kept.get((text, pictures))
        if parts is None:
            pieces = split_prompt(text, self._style if pictures else None, pictures)
            parts = [piece if isinstance(piece, int) else self._encode(piece) for piece in pieces]
            if len(text) <= _KEPT_MAX_LETTERS:
                self._kept[text, pictures] = parts
                if len(self._kept) > _KEPT:
                    del self._kept[next(iter(self._kept))]  # the oldest
        return parts.copy()


def check_question(prompt: str, limit: int) -> str:
    """Refuse a question that cannot be one, before anything is run.

    Raises
    ------
    PromptError
        For an empty one, one that is not text, or one that is longer than any cache could hold.
    """
    if not isinstance(prompt, str):
        raise PromptError(f"A question is text, not {type(prompt).__name__}.", fix='Pass it as a string: ask("...").')
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise PromptError("The question holds bytes that are no text.", why=str(error), fix="Use UTF-8.") from error
    if not prompt.strip():
        raise PromptError("The question is empty.", fix="Ask something, such as: How many cells are there?")
    if len(prompt) > limit:
        raise PromptError(
            f"The question has {len(prompt)} characters; at most {limit} can fit.",
            fix="Ask something shorter.",
        )
    return prompt


def message(prompt: str, pictures: int) -> dict[str, object]:
    """Give a user's turn in the form that prompt templates expect: pictures first, then the text."""
    if not pictures:
        return {"role": "user", "content": prompt}
    parts: Sequence[dict[str, str]] = [{"type": "image"}] * pictures + [{"type": "text", "text": prompt}]
    return {"role": "user", "content": list(parts)}
