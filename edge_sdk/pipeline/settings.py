"""How an answer is to be drawn and when it is to end, checked in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from edge_sdk.errors import PromptError
from edge_sdk.pipeline.reading_line import ReadingLine
from edge_sdk.pipeline.sampler import Sampler
from edge_sdk.pipeline.visual_ladder import TokenWish

__all__ = ["Settings", "SettingsArguments"]


class SettingsArguments(TypedDict, total=False):
    """The keyword arguments that `ask` takes beside the question and its frames."""

    max_tokens: int | None
    temperature: float
    top_k: int | None
    top_p: float | None
    stop: str | Sequence[str]
    seed: int | None
    visual_tokens: int | None
    deadline_ms: float | None
    sensors: object


class Settings:
    """The settings of one answer.

    Parameters
    ----------
    max_tokens : int, optional
        Most tokens of the answer.
    temperature, top_k, top_p, seed
        See `Sampler`.
    stop : str or sequence of str
        The answer ends before any of these.
    visual_tokens, deadline_ms
        See `TokenWish`.
    sensors : ReadingLine, sensors and readings, or None
        What is told before the question.

    Raises
    ------
    PromptError
        A setting makes no sense.
    """

    def __init__(
        self,
        *,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        visual_tokens: int | None = None,
        deadline_ms: float | None = None,
        sensors: object = None,
    ) -> None:
        for name, value in (("max_tokens", max_tokens), ("top_k", top_k), ("seed", seed)):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise PromptError(f"{name} is {value!r}.", fix="Give a whole number, or leave it out.")
        for name, real in (("temperature", temperature), ("top_p", top_p)):
            if real is not None and (not isinstance(real, (int, float)) or isinstance(real, bool)):
                raise PromptError(f"{name} is {real!r}.", fix="Give a number, or leave it out.")
        if max_tokens == 0:
            raise PromptError("max_tokens is 0.", fix="Give at least 1, or leave it out.")
        stops = (stop,) if isinstance(stop, str) else stop
        if not isinstance(stops, Sequence) or not all(isinstance(text, str) for text in stops):
            raise PromptError(f"stop is {stop!r}.", fix="Give a text, or a list of texts.")
        self.max_tokens = max_tokens
        self.stops = tuple(text for text in stops if text)
        self.line = ReadingLine.of(sensors)
        self.wish = TokenWish(visual_tokens, deadline_ms)
        self.sampler = Sampler(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
