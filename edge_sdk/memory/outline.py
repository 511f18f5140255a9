"""What the planner needs to know of a bundle, all of it from headers: its parts, cache lengths and visual tokens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_sdk.bundle import Bundle, VisualLadder
from edge_sdk.bundle.inspection import cache_lengths, tokens_per_frame
from edge_sdk.errors import BundleError
from edge_sdk.memory.section import ADAPTER, DECODER, ENCODERS, HEAD, LANGUAGE

__all__ = ["Outline", "outline_of"]


@dataclass(frozen=True, slots=True)
class Outline:
    """One variant of a bundle, as far as memory goes.

    Attributes
    ----------
    name, variant : str
        ``smear`` and ``int4`` of ``smear@int4``.
    path : Path
        Its file.
    sight, language : tuple of str
        Sections that see, and those that answer, in the order in which they are opened.
    cache_lengths : tuple of int
        That it may be run with, the longest first.
    visual_tokens : int or None
        Places that a frame takes.
    visual_ladder : VisualLadder or None
        Fewer places that it may take instead, and what that costs.
    """

    name: str
    variant: str
    path: Path
    sight: tuple[str, ...]
    language: tuple[str, ...]
    cache_lengths: tuple[int, ...] = ()
    visual_tokens: int | None = None
    visual_ladder: VisualLadder | None = None

    @property
    def bundle(self) -> str:
        """Its name as a bundle."""
        return f"{self.name}@{self.variant}" if self.variant else self.name

    @property
    def counts(self) -> bool:
        """Whether it marks cells."""
        return HEAD in self.sight

    @property
    def sections(self) -> tuple[str, ...]:
        """All sections that may be opened, in that order."""
        return self.sight + self.language

    def for_task(self, task: str) -> tuple[str, ...]:
        """Name the sections that a task needs; empty where this variant is not made for it."""
        if task == "count":
            return tuple(name for name in self.sight if name != ADAPTER)
        if task == "text":
            return self.language
        if task == "ask":
            return tuple(name for name in self.sight if name != HEAD) + self.language if self.language else ()
        return self.sections


def outline_of(bundle: Bundle, name: str, variant: str = "") -> Outline:
    """Read what the planner needs from a bundle's headers.

    Raises
    ------
    BundleError
        It has no model that this SDK runs, or a model in it is damaged.
    """
    encoder = next((item for item in ENCODERS if bundle.has(item)), None)
    sight = tuple(item for item in (encoder, ADAPTER, HEAD) if item and bundle.has(item)) if encoder else ()
    language = tuple(item for item in LANGUAGE if bundle.has(item)) if bundle.has(DECODER) else ()
    if not sight and not language:
        raise BundleError(
            f"{bundle.path} has no model that could be planned for.",
            why=f"It has: {', '.join(item.name or item.kind for item in bundle.sections)}.",
            fix="Take a bundle with a vision encoder or a language model in it.",
        )
    lengths = tuple(reversed(cache_lengths(bundle)))
    ladder = bundle.card.visual_ladder if bundle.card else None
    return Outline(name, variant, bundle.path, sight, language, lengths, tokens_per_frame(bundle), ladder)
