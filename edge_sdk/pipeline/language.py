"""The language side of a bundle: how a question becomes tokens, and which tokens end an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_sdk.bundle import Bundle, Detokenizer, PromptTemplate, Tokenizer, Vision, token_ids
from edge_sdk.memory import trim
from edge_sdk.pipeline.decoder import Decoder
from edge_sdk.pipeline.item import common
from edge_sdk.pipeline.prompt import PictureStyle, message

__all__ = ["Language"]


@dataclass(frozen=True, slots=True)
class Language:
    """What a conversation needs of a bundle.

    Attributes
    ----------
    name : str
        The bundle's, for messages.
    template : PromptTemplate
        Turns messages into text.
    tokenizer : Tokenizer
        Turns text into tokens and back.
    start : tuple of int
        Tokens in front of the first turn.
    stops : tuple of tuple of int
        Any of these runs of tokens ends an answer.
    pictures : PictureStyle or None
        How a frame stands among text; None where the bundle takes no frames.
    new_decoder : function
        Makes a decoder with key-value caches of its own; takes what it is to call between runs.
    """

    name: str
    template: PromptTemplate
    tokenizer: Tokenizer
    start: tuple[int, ...]
    stops: tuple[tuple[int, ...], ...]
    pictures: PictureStyle | None
    new_decoder: Callable[[Callable[[], None]], Decoder]

    @classmethod
    def of(cls, bundle: Bundle, name: str, new_decoder: Callable[[Callable[[], None]], Decoder]) -> Language:
        """Read what a bundle says."""
        tokenizer = bundle.tokenizer()
        trim()  # one of Hugging Face leaves 27 MB behind that it took while it was read
        metadata = bundle.metadata
        stops = [token_ids(token, tokenizer) for token in metadata.stop_tokens]
        return cls(
            name=name,
            template=bundle.template(),
            tokenizer=tokenizer,
            start=token_ids(metadata.start_token, tokenizer),
            stops=tuple(stop for stop in stops if stop),
            pictures=_style(metadata.vision),
            new_decoder=new_decoder,
        )

    def detokenizer(self) -> Detokenizer:
        """Start a new stream of text."""
        return Detokenizer(self.tokenizer)

    def head(self) -> list[int]:
        """Give the tokens that all prompts begin with: the template's own, and its system prompt where it has one."""
        texts = [self.template.render([message(question, 0)]) for question in ("0", "?")]
        one, other = ([*self.start, *self.tokenizer.encode(text)] for text in texts)
        return one[: common(one, other)]

    def ends(self, tokens: list[int]) -> int:
        """Tell how many tokens at the end of `tokens` are a stop; 0 where the answer goes on."""
        return next((len(stop) for stop in self.stops if tuple(tokens[-len(stop) :]) == stop), 0)

    def may_end(self, tokens: list[int]) -> int:
        """Tell how many tokens at the end of `tokens` may be the beginning of a stop."""
        longest = max((len(stop) for stop in self.stops), default=1) - 1
        for size in range(min(longest, len(tokens)), 0, -1):
            if any(stop[:size] == tuple(tokens[-size:]) for stop in self.stops):
                return size
        return 0


def _style(vision: Vision | None) -> PictureStyle | None:
    if vision is None:
        return None
    start, end = (token.text if token else "" for token in (vision.start, vision.end))
    return PictureStyle(vision.markers, vision.prefix + start, (end if vision.adds_end else "") + vision.suffix)
