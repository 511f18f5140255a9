"""What a loader opens: the sections of a bundle, as a plan says, or plain files, such as a folder of experts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edge_sdk.bundle import Bundle, open_bundle
from edge_sdk.errors import OverBudget
from edge_sdk.late import Late
from edge_sdk.memory.code_page import let_go_of_code
from edge_sdk.memory.loader import Part
from edge_sdk.memory.section import ADAPTER, DECODER, HEAD, LANGUAGE, SIGHT, WORDS
from edge_sdk.memory.trim import trim
from edge_sdk.runtime import Model, WeightCache, open_model, pack_weights

if TYPE_CHECKING:
    from edge_sdk.memory import footprint, ladder, stream, thread_choice
    from edge_sdk.memory.plan import Plan
else:  # what plans are followed with, and threads that nobody chose
    footprint, ladder, stream, thread_choice = (
        Late(f"edge_sdk.memory.{name}") for name in ("footprint", "ladder", "stream", "thread_choice")
    )

__all__ = ["bundle_parts", "pack_planned", "part_files"]

# What a delegate may be had for. The others are small, or of operators and types that none takes.
_DELEGATED = frozenset(SIGHT) - {HEAD, ADAPTER}


def bundle_parts(
    bundle: Bundle,
    plan: Plan | None = None,
    *,
    engine: str = "auto",
    threads: int | None = None,
    weight_cache: WeightCache | None = None,
    delegate: str | Sequence[str] = "cpu",
) -> Callable[[str], Part]:
    """Give what finds the sections of a bundle; with a plan it has the say on engine, threads and weight cache.

    The delegate is for the vision encoder alone.

    In a plan in which seeing and answering take turns, each of the two is a group. Sections that the plan refuses
    raise `OverBudget` when they are asked for.
    """
    if plan is not None:
        engine, threads = plan.engine, plan.threads
        weight_cache = weight_cache if plan.weight_cache else None

    def find(name: str) -> Part:
        section = bundle.section(name)
        held = plan.section(name).footprint if plan is not None else None

        def opened() -> Model:
            chosen = threads is None and name == DECODER
            count = thread_choice.choose_threads(bundle, engine, weight_cache) if chosen else threads
            model = open_model(
                bundle.path,
                offset=section.offset,
                size=section.size,
                engine=engine,
                threads=count,
                weight_cache=weight_cache,
                delegate=delegate if name in _DELEGATED else "cpu",
            )
            if name == DECODER:
                trim()  # opening it frees 3 MB in pieces, of which later ones would use half
                let_go_of_code()
            if plan is not None and plan.section(name).mode == "streamed":
                stream.open_stream(model, _stream_room_bytes(plan))
            return model

        group = ("answers" if name in LANGUAGE else "sees") if plan is not None and plan.sequential else ""
        return Part(opened, held.peak_bytes if held else 0, group)

    return find


def _stream_room_bytes(plan: Plan) -> int:
    """Return what streamed weights may have in memory: what a plan leaves, and the least that it counted for them."""
    decode = plan.moments[-1]
    return max(0, plan.budget.total_bytes - decode.needed_bytes) + ladder.STREAM_BYTES


def part_files(
    *, engine: str = "litert", threads: int = 1, weight_cache: WeightCache | None = None
) -> Callable[[str], Part]:
    """Give what finds plain ``.tflite`` files by their paths, each with the room that its header says it takes."""

    def find(path: str) -> Part:
        with open_bundle(path) as bundle:
            size = footprint.predict(
                bundle, "tflite", engine=engine, threads=threads, weight_cached=weight_cache is not None
            ).peak_bytes
        return Part(lambda: open_model(path, engine=engine, threads=threads, weight_cache=weight_cache), size)

    return find


def pack_planned(plan: Plan, bundle: Bundle, weight_cache: WeightCache | None) -> None:
    """Write the weight caches that a plan counts on, before anything else takes memory.

    Raises
    ------
    OverBudget
        They could not be written: opened like this, the sections would pack them into memory that is not there.
    """
    held = [item.name for item in plan.sections if item.mode != "refused" and item.name != WORDS]
    # What is there already comes first: it is marked as used, and does not give way to what is packed after it.
    for name in sorted(held, key=lambda name: name in plan.to_pack):
        section = bundle.section(name)
        place = (bundle.path, section.offset, section.size, plan.threads)
        if weight_cache is not None and pack_weights(*place, weight_cache):
            continue
        if _relies_on_cache(bundle, name, plan):
            problem = weight_cache.problem if weight_cache is not None else None
            raise OverBudget(
                f"{plan.bundle} cannot be run as it was planned: the packed weights of {name} could not be kept.",
                why=(problem.why if problem else None) or "There is no weight cache that has room for them.",
                fix="Free space or memory, or choose another folder (EDGE_CACHE); or make another plan, which does "
                "without the cache if the budget allows it.",
            )


def _relies_on_cache(bundle: Bundle, name: str, plan: Plan) -> bool:
    """Say whether a section takes more private memory without a cache file, by its headers."""
    cached, plain = (
        footprint.predict(bundle, name, engine=plan.engine, threads=plan.threads, weight_cached=kept)
        for kept in (True, False)
    )
    return cached != plain
