"""Which rung of the ladder a budget allows: the first that fits; and what is told about those before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge_sdk.memory.ladder import Costs, Rung, arrange, moments_of, rungs
from edge_sdk.memory.outline import Outline
from edge_sdk.memory.plan import Moment, SectionPlan, Step
from edge_sdk.units import format_bytes

__all__ = ["STEPS", "Tried", "choose", "least", "steps_to"]

STEPS = (
    "everything resident",
    "vision dropped before the decoder is loaded",
    "shorter cache",
    "fewer visual tokens",
    "smaller variant",
    "weights streamed from flash",
    "parts left out",
)
_NO_ENGINE = "The engine that is here does not take all of its parts."
_PRIVATELY = "Weights are packed into private memory at each load, which takes seconds."


@dataclass(frozen=True, slots=True)
class Tried:
    """A rung, and what it takes."""

    rung: Rung
    sections: tuple[SectionPlan, ...]
    moments: tuple[Moment, ...]

    @property
    def needed_bytes(self) -> int:
        """The most that must fit at any moment."""
        return max(moment.needed_bytes for moment in self.moments)


def choose(
    outlines: Sequence[Outline],
    task: str,
    engines: Sequence[tuple[str, bool]],
    costs: Costs,
    budget_bytes: int,
    *,
    stream: bool,
    packed: bool = False,
) -> tuple[Tried | None, tuple[Tried, ...]]:
    """Return the first rung that fits, None where none does; and all that were tried, it included.

    With ``packed`` all weights are taken for packed already.
    """
    tried = []
    for rung in rungs(outlines, task, engines, stream=stream):
        if costs.obstacle(rung) or costs.refusal(rung):
            continue
        sections = arrange(rung, costs)
        if packed:
            sections = tuple(replace(section, packing_bytes=0) for section in sections)
        tried.append(Tried(rung, sections, moments_of(rung, sections, costs, budget_bytes)))
        if tried[-1].needed_bytes <= budget_bytes:
            return tried[-1], tuple(tried)
    return None, tuple(tried)


def least(tried: Sequence[Tried]) -> Tried:
    """Return what needs the least; of equals, what comes first."""
    return min(tried, key=lambda item: item.needed_bytes)


def steps_to(
    chosen: Tried, tried: Sequence[Tried], *, stream: bool, speed: str, obstacle: str = ""
) -> tuple[Step, ...]:
    """Tell every step of degradation up to the one that made it fit: what was taken, what it costs, what it needs.

    ``speed`` says how fast it answers where weights are streamed, ``obstacle`` why packed weights cannot be kept.
    """
    best, rung = tried[0].rung, chosen.rung
    parts_alone = _taken(best, best)[-1]  # the engine takes no more
    needs: dict[int, int] = {}
    for item in tried:
        kind = _kind(item.rung, best)
        needs[kind] = min(item.needed_bytes, needs.get(kind, item.needed_bytes))
    found = []
    for kind, taken in enumerate(_taken(rung, best)[: _kind(rung, best) + 1]):
        if taken:
            told = _cost(kind, rung, speed)
        elif kind in needs:
            told = f"It needs {format_bytes(needs[kind])}."
        else:
            told = _NO_ENGINE if parts_alone else _missing(kind, best, stream=stream)
        found.append(Step(STEPS[kind], taken, told, needs.get(kind)))
    if (rung.engine, rung.weight_cache) != (best.engine, best.weight_cache):
        found.append(_storage(rung, best, tried))
    elif obstacle:
        found.append(Step("no weight cache", True, f"Packed weights cannot be kept: {obstacle} {_PRIVATELY}"))
    return tuple(found)


def _taken(rung: Rung, best: Rung) -> tuple[bool, ...]:
    """Say of each step whether a rung has taken it; the first one is taken where no other is."""
    later = (
        rung.sequential,
        rung.cache_length is not None and rung.cache_length < rung.outline.cache_lengths[0],
        rung.visual_tokens != rung.outline.visual_tokens,
        rung.outline is not best.outline,
        rung.streamed,
        set(rung.sections) != set(rung.outline.for_task(best.task)),
    )
    return (not any(later), *later)


def _kind(rung: Rung, best: Rung) -> int:
    """Return the last step that a rung has taken."""
    return max(kind for kind, taken in enumerate(_taken(rung, best)) if taken)


def _cost(kind: int, rung: Rung, speed: str) -> str:
    """Say what a step that was taken costs."""
    lost = ", ".join(name for name in rung.outline.sections if name not in rung.sections)
    loads = "tens of milliseconds" if rung.weight_cache else "seconds, for want of a weight cache"
    return (
        "Nothing is given up.",
        f"Each new frame loads what sees and what answers again: {loads}.",
        f"Question and answer together have room for {rung.cache_length} tokens.",
        _fewer(rung),
        f"{rung.outline.bundle} answers instead: fewer bits a weight, or less that it can do.",
        f"The flash is read for every token: {speed}",
        f"Without {lost}: what needs them is refused.",
    )[kind]


def _missing(kind: int, best: Rung, *, stream: bool) -> str:
    """Say why a step could not be tried."""
    return (
        "",
        "It does not both see and answer.",
        "It comes with one cache length." if best.cache_length else "It has no cache.",
        _no_fewer(best),
        f"There is no {best.outline.name}@... beside it.",
        "It has no weights that could be streamed." if stream else "It was not asked for.",
        "",
    )[kind]


def _fewer(rung: Rung) -> str:
    """Say what fewer visual tokens cost."""
    told = rung.outline.visual_ladder
    rungs = {item.tokens: item.accuracy_percent for item in told.rungs} if told else {}
    before, after = rungs.get(rung.outline.visual_tokens or 0), rungs.get(rung.visual_tokens or 0)
    cost = "nobody measured what that costs"
    if told and before is not None and after is not None:
        cost = f"{after:g} % right in place of {before:g} ({told.measured_on})"
    return f"A frame takes {rung.visual_tokens} tokens in place of {rung.outline.visual_tokens}: {cost}."


def _no_fewer(best: Rung) -> str:
    """Say why fewer visual tokens could not be tried."""
    outline = best.outline
    if outline.visual_tokens is None:
        return "It sees no frames."
    if outline.visual_ladder is None or len(outline.visual_ladder.rungs) == 1:
        return f"It offers {outline.visual_tokens} a frame and no other number."
    return f"All {outline.visual_tokens} of a frame have room in each of its caches."


def _storage(rung: Rung, best: Rung, tried: Sequence[Tried]) -> Step:
    """Tell why weights are not kept packed in a file, or not by the engine that is first choice."""
    packing = max(section.packing_bytes for section in tried[0].sections)
    why = f"Packing them once would take {format_bytes(packing)} more than the idle process. " if packing else ""
    cost = f"{why}{_PRIVATELY}"
    name = "no weight cache" if rung.engine == best.engine else f"engine {rung.engine} without a weight cache"
    return Step(name, True, cost)
