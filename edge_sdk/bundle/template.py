"""From the turns of a conversation to the text that a model was trained to continue.

A bundle brings either words to put around each turn, or a program: a Jinja template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge_sdk.bundle.jinja import JinjaTemplate
from edge_sdk.bundle.metadata import Affix, LlmMetadata
from edge_sdk.errors import BundleError

__all__ = ["AffixTemplate", "PromptTemplate", "Turn", "prompt_template"]

# {"role": "user" | "assistant" | "system", "content": text, or a list of {"type": "text", "text": ...} and
# {"type": "image"}}
Turn = Mapping[str, Any]

_GEMMA_MODEL = Affix("<start_of_turn>model\n", "<end_of_turn>\n")
_GEMMA_USER = Affix("<start_of_turn>user\n", "<end_of_turn>\n")


class PromptTemplate(Protocol):
    """What turns a conversation into a prompt."""

    def render(self, turns: Sequence[Turn], *, add_generation_prompt: bool = True) -> str:
        """Return the prompt; with what opens the model's answer at its end, unless told otherwise."""

    def close(self) -> None:
        """Let go of what rendering needs; harmless twice."""


@dataclass(frozen=True, slots=True)
class AffixTemplate:
    """Words before and behind each turn.

    ``image_marker`` stands where a picture belongs. ``system_in_user``: what the system says opens the first
    turn of the user instead of being one of its own.

    Examples
    --------
    >>> template = AffixTemplate(Affix("Q: ", "; "), Affix("A: ", "; "), Affix(), "<image>")
    >>> question = [{"type": "image"}, {"type": "text", "text": "Cells?"}]
    >>> template.render([{"role": "user", "content": question}])
    'Q: <image>Cells?; A: '
    """

    user: Affix
    model: Affix
    system: Affix
    image_marker: str
    trim: bool = False
    system_in_user: bool = False

    def render(self, turns: Sequence[Turn], *, add_generation_prompt: bool = True) -> str:
        """Return the prompt.

        Raises
        ------
        BundleError
            A turn has a role or a content that no prompt is made of.
        """
        pieces: list[str] = []
        opening = ""
        if self.system_in_user and turns and turns[0].get("role") == "system":
            opening = _words(turns[0].get("content"), self.image_marker, trim=False) + "\n\n"
            turns = turns[1:]
        sides = {"user": self.user, "assistant": self.model, "model": self.model, "system": self.system}
        for turn in turns:
            side = sides.get(str(turn.get("role")))
            if side is None:
                raise BundleError(
                    f"A turn of the conversation has the role {turn.get('role')!r}.",
                    why=f"This bundle's template knows {', '.join(sides)}.",
                )
            pieces += [
                side.prefix,
                opening,
                _words(turn.get("content"), self.image_marker, self.trim),
                side.suffix,
            ]
            opening = ""
        return "".join(pieces) + (self.model.prefix if add_generation_prompt else "")

    def close(self) -> None:
        """Do nothing; there is nothing to let go of."""


def _words(content: object, image_marker: str, trim: bool) -> str:
    if isinstance(content, str):
        return content.strip() if trim else content
    if not isinstance(content, (list, tuple)):
        raise BundleError(f"A turn's content is {content!r}; text or a list of parts is expected.")
    pieces = []
    for part in content:
        if part.get("type") == "image":
            pieces.append(image_marker)
        elif part.get("type") == "text":
            pieces.append(part["text"].strip() if trim else part["text"])
        else:
            raise BundleError(f"A part of a turn is of the type {part.get('type')!r}; text and image are known.")
    return "".join(pieces)


def prompt_template(metadata: LlmMetadata, name: str) -> PromptTemplate:
    """Return the template that a bundle asks for, or the one that LiteRT-LM takes for its model type.

    Parameters
    ----------
    metadata : LlmMetadata
        What the bundle says.
    name : str
        The path, for errors.
    """
    if metadata.jinja_template is not None:
        template = JinjaTemplate(metadata.jinja_template, name)
        template.start()
        return template
    # Gemma's turns, and where its pictures go: https://ai.google.dev/gemma/docs/core/prompt-structure
    if metadata.model_type in ("gemma3", "gemma3n"):
        marker = "<start_of_image>" if metadata.model_type == "gemma3" else "<image_soft_token>"
        return AffixTemplate(_GEMMA_USER, _GEMMA_MODEL, Affix(), marker, trim=True, system_in_user=True)
    marker = "<image_soft_token>" if metadata.model_type == "fast_vlm" else "<start_of_image>"
    return AffixTemplate(metadata.user, metadata.model, metadata.system, marker)
