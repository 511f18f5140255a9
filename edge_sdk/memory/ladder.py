"""The ways in which a bundle may be run, from the one that gives up nothing to the one that gives up most.

Pure: what a section takes comes from outside (`Costs`), and the same costs give the same ladder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from edge_sdk.memory.footprint import Footprint
from edge_sdk.memory.outline import Outline
from edge_sdk.memory.plan import Moment, SectionPlan
from edge_sdk.memory.section import DECODER, WORDS

__all__ = ["STREAM_BYTES", "Costs", "Process", "Rung", "arrange", "beyond_bytes", "moments_of", "rungs"]

# Room that streamed weights need at least: what is read ahead and what is in use. They may have less than that and
# still be read, but then pages are dropped before they were used.
STREAM_BYTES = 4_000_000
# Beside a frame a cache must hold a question and an answer.
_TALK_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Process:
    """What the process takes before any section is open.

    Attributes
    ----------
    file_bytes : int
        Pages of Python, libraries and engine that starting touches.
    used_bytes : int
        Those of them that are used at every step, and what the kernel keeps for the process.
    """

    private_bytes: int
    file_bytes: int
    used_bytes: int


class Costs(Protocol):
    """What things take, measured or worked out."""

    @property
    def frame_bytes(self) -> int:
        """What frames take while they are looked at."""

    def process(self, rung: Rung) -> Process:
        """Tell what the process takes before any section is open."""

    def words(self, rung: Rung) -> Footprint:
        """Tell what the tokenizer and the prompt template's process take."""

    def section(self, rung: Rung, name: str) -> Footprint:
        """Tell what a section takes on a rung."""

    def caches_bytes(self, rung: Rung) -> int:
        """Tell what the key-value caches take, which stay when the decoder is dropped."""

    def packing_bytes(self, rung: Rung, name: str) -> int:
        """Tell what packing a section takes beside the idle process; 0 where it is packed, or never will be."""

    def obstacle(self, rung: Rung) -> str:
        """Say why a rung's packed weights could not be kept, empty where they can or need not be."""

    def refusal(self, rung: Rung) -> str:
        """Say why the engine does not take all sections of a rung, empty where it does."""

    def measured(self, rung: Rung) -> bool:
        """Whether all of a rung was measured."""

    def carried(self, rung: Rung) -> bool:
        """Whether what was measured came with the bundle, from another machine."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to run a bundle.

    Attributes
    ----------
    task : str
        What was asked for.
    sections : tuple of str
        That are opened; others of the bundle are refused.
    sequential : bool
        What sees is dropped before what answers is loaded.
    streamed : bool
        The decoder's weights are read from flash as far as they do not fit.
    visual_tokens : int or None
        That a frame takes, so that the cache holds it.
    """

    outline: Outline
    task: str
    sections: tuple[str, ...]
    cache_length: int | None
    engine: str
    weight_cache: bool
    sequential: bool = False
    streamed: bool = False
    visual_tokens: int | None = None

    @property
    def sight(self) -> tuple[str, ...]:
        """Sections of it that see."""
        return tuple(name for name in self.outline.sight if name in self.sections)

    @property
    def language(self) -> tuple[str, ...]:
        """Sections of it that answer."""
        return tuple(name for name in self.outline.language if name in self.sections)


def rungs(
    outlines: Sequence[Outline], task: str, engines: Sequence[tuple[str, bool]], *, stream: bool
) -> Iterator[Rung]:
    """Give every way to run a family, in the order of degradation.

    Parameters
    ----------
    outlines : sequence of Outline
        The variants, best first.
    task : str
        What must work; with ``all`` parts of the bundle may be given up in the end.
    engines : sequence of (str, bool)
        Engines that may be used, each with or without a weight cache, the best first.
    stream : bool
        Whether weights may be streamed.
    """
    made = [outline for outline in outlines if outline.for_task(task)]
    for outline in made:
        yield from _variant(outline, task, outline.for_task(task), engines)
    if stream:
        for outline in reversed(made):
            if DECODER in outline.for_task(task):
                # Only pages of a weight cache can be dropped and read again: without one weights are private.
                for engine in [item for item in engines if item[1]]:
                    *_, last = _variant(outline, task, outline.for_task(task), [engine])
                    yield replace(last, streamed=True)
    if task == "all":
        # A bundle that marks cells is one to count with; others are kept for their words.
        for outline in made:
            parts = [outline.for_task("text"), outline.for_task("count")]
            for part in parts if not outline.counts else reversed(parts):
                if part and set(part) != set(outline.sections):
                    yield from _variant(outline, task, part, engines)


def _variant(
    outline: Outline, task: str, sections: tuple[str, ...], engines: Sequence[tuple[str, bool]]
) -> Iterator[Rung]:
    both = any(name in outline.sight for name in sections) and DECODER in sections
    lengths: tuple[int | None, ...] = (DECODER in sections and outline.cache_lengths) or (None,)
    steps = [(False, lengths[0])] + ([(True, lengths[0])] if both else [])
    steps += [(both, length) for length in lengths[1:]]
    for sequential, length in steps:
        for engine, weight_cache in engines:
            tokens = _visual_tokens(outline, length) if both else outline.visual_tokens
            yield Rung(outline, task, sections, length, engine, weight_cache, sequential, visual_tokens=tokens)


def _visual_tokens(outline: Outline, cache_length: int | None) -> int | None:
    """Give the most visual tokens of a frame that leave room for a question in a cache, of those that are offered."""
    offered = [rung.tokens for rung in outline.visual_ladder.rungs] if outline.visual_ladder else []
    fits = (tokens for tokens in offered if cache_length is None or tokens + _TALK_TOKENS <= cache_length)
    return next(fits, offered[-1] if offered else outline.visual_tokens)


def arrange(rung: Rung, costs: Costs) -> tuple[SectionPlan, ...]:
    """Say how each section of a variant is held on a rung; those that it does without are refused."""
    found = [SectionPlan(WORDS, "resident", costs.words(rung))] if rung.language else []
    for name in rung.outline.sections:
        if name not in rung.sections:
            found.append(SectionPlan(name, "refused", Footprint(0, 0, 0)))
            continue
        mode = "streamed" if rung.streamed and name == DECODER else "sequential" if rung.sequential else "resident"
        found.append(SectionPlan(name, mode, costs.section(rung, name), costs.packing_bytes(rung, name)))
    return tuple(found)


def moments_of(rung: Rung, sections: Sequence[SectionPlan], costs: Costs, budget_bytes: int) -> tuple[Moment, ...]:
    """Work out what the process takes at each moment."""
    process = costs.process(rung)
    held = {section.name: section.footprint for section in sections if section.mode != "refused"}
    sight = [held[name] for name in rung.sight]
    language = [held[name] for name in rung.language]
    words = [held[WORDS]] if language else []
    seeing, answering = (words + sight, words + language) if rung.sequential else (words + sight + language,) * 2
    frames = costs.frame_bytes if sight else 0
    # The caches stay when the decoder makes room for the next frame; else they are in its footprint.
    caches = costs.caches_bytes(rung) if rung.sequential else 0
    packing = max((section.packing_bytes for section in sections), default=0)
    loading = frames + max(_loading(group) + caches for group in (seeing, answering))
    private, files, used = _private(answering) + frames, _files(answering), _files(language)
    if rung.streamed:
        weights = held[DECODER].file_bytes
        used -= weights
        room = budget_bytes - process.private_bytes - process.used_bytes - private - used
        files -= max(0, weights - max(0, room))
        used += min(weights, STREAM_BYTES)
    found = [_moment("load", max(packing, loading), process, max(files, _files(sight)), 0)]
    if sight:
        seen = files if seeing is answering else _files(seeing)
        found.append(_moment("encode", _private(seeing) + caches + frames, process, seen, _files(sight)))
    if language:
        found += [_moment(name, private, process, files, used) for name in ("prefill", "decode")]
    return tuple(found)


def beyond_bytes(rung: Rung, sections: Sequence[SectionPlan], moments: Sequence[Moment], costs: Costs) -> int:
    """Return how much of the weights has no room while a rung decodes, and is read from flash for every token."""
    there = rung.language if rung.sequential else rung.sections
    files = _files([item.footprint for item in sections if item.name in there])
    decode = next(moment for moment in moments if moment.name == "decode")
    return costs.process(rung).file_bytes + files - decode.file_bytes


def _moment(name: str, private_bytes: int, process: Process, open_bytes: int, used_bytes: int) -> Moment:
    """Add the process itself to what is open in it and to the pages of it that this moment uses."""
    private_bytes += process.private_bytes
    return Moment(name, private_bytes, process.file_bytes + open_bytes, private_bytes + process.used_bytes + used_bytes)


def _loading(footprints: Sequence[Footprint]) -> int:
    """Give the most private memory while sections are opened one after the other."""
    most = before = 0
    for footprint in footprints:
        most = max(most, before + footprint.load_private_bytes)
        before += footprint.private_bytes
    return max(most, before)


def _private(footprints: Sequence[Footprint]) -> int:
    return sum(footprint.private_bytes for footprint in footprints)


def _files(footprints: Sequence[Footprint]) -> int:
    return sum(footprint.file_bytes for footprint in footprints)
