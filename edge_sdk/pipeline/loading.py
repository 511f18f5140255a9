"""Load a bundle: as it is, or as a plan for the memory says."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from boards.telemetry import read_cgroup, read_memory
from edge_sdk import memory, runtime
from edge_sdk.bundle import open_bundle
from edge_sdk.errors import EdgeError, OverBudget
from edge_sdk.memory import Loader, best_variant, bundle_parts, check_settings
from edge_sdk.pipeline.model import VisionLanguageModel
from edge_sdk.runtime import WeightCache

if TYPE_CHECKING:
    from edge_sdk.memory import Plan

__all__ = ["load"]

# A bundle is planned for without being asked where less is there than it may take at the worst: with neither weight
# cache nor shared weights, and four signatures, 6.4 times the size of its file and the process's own 60 MB.
_SCARCE_TIMES, _SCARCE_BYTES = 8, 100_000_000


def load(
    bundle: str | os.PathLike[str] | Plan,
    *,
    budget: str | int | None = None,
    task: str = "all",
    stream: bool = False,
    engine: str = "auto",
    threads: int | None = None,
    weight_cache: WeightCache | None = None,
    delegate: str = "auto",
) -> VisionLanguageModel:
    """Load a bundle; its models are opened when they are first needed.

    With a budget it is planned for first, and the plan is kept to: the variant, the engine, the cache length and what
    takes turns in memory are the plan's; memory is looked at while it runs. Without one it is planned for within what
    the machine has where that is scarce: less than eight times the bundle's size and 100 MB.

    Parameters
    ----------
    bundle : str, path or Plan
        A name that ``edge bundle list`` shows, a ``.litertlm`` or ``.tflite`` file; or what `edge_sdk.plan` gave,
        which says everything but the weight cache.
    budget : str or int, optional
        How much memory may be taken, such as ``"512MB"``; by default what ``EDGE_BUDGET`` says.
    task : {'all', 'ask', 'count', 'text'}
        What the budget must be enough for.
    stream : bool
        Within a budget: read weights that do not fit from flash for every token, rather than refuse.
    engine : {'auto', 'litert', 'interpreter'}
        Which runtime to use.
    threads : int, optional
        Threads of the engine; by default as many as there are strong cores, four at most; for the language model
        what was measured to be best when its weights were packed.
    weight_cache : WeightCache, optional
        Where packed weights are kept; by default ``~/.cache/edge/weights``, or what ``EDGE_CACHE`` says.
    delegate : str
        What runs the vision encoder; all else runs on the CPU. ``auto`` tries those that this board has a part for,
        and goes on with the CPU where none is of use; ``cpu``; or a delegate's name or library, which is used or an
        error says why not. What is planned runs on the CPU: a plan cannot tell a driver's memory beforehand.

    Returns
    -------
    VisionLanguageModel
        To be used in ``with``, or closed.

    Raises
    ------
    BundleError
        There is no such bundle, or it is damaged.
    OverBudget
        It does not fit; the error says how much is missing and what would fit.

    Examples
    --------
    >>> with load("smear") as model:
    ...     model.labels
    ('wbc', 'rbc', 'platelet')
    >>> with load("smear", budget="1GB", task="count") as model:
    ...     model.plan.cache_length is None
    True
    """
    cache = weight_cache or WeightCache.usual()
    named = delegate not in ("auto", "cpu")
    if not isinstance(bundle, str | os.PathLike) and isinstance(bundle, memory.Plan):
        if budget is not None or stream or engine != "auto" or threads is not None or task != "all":
            raise EdgeError("A plan says how a bundle is run; more cannot be said beside it.", fix="Make another plan.")
        _check_plannable(delegate, named)
        return _planned(bundle, cache)
    check_settings(engine, threads, task)
    path = best_variant(bundle)
    asked = budget is not None or bool(os.environ.get("EDGE_BUDGET"))
    if asked or stream or (not named and _scarce(path)):
        _check_plannable(delegate, named)
        make = partial(
            memory.plan_for, bundle, task=task, stream=stream, engine=engine, threads=threads, weight_cache=cache
        )
        return _replanned(partial(make, budget=budget), cache)
    if delegate == "auto" and (engine == "litert" or not any(each.find() for each in runtime.DELEGATES.values())):
        # That engine takes none, or none is installed: to find out which board this is would take 25 ms and 3 MB.
        delegate = "cpu"
    opened = open_bundle(path)
    if opened.card or opened.metadata.vision:
        import_module("edge_sdk.pipeline.vision")  # now, rather than in the first answer
    parts = bundle_parts(opened, engine=engine, threads=threads, weight_cache=cache, delegate=delegate)
    return VisionLanguageModel(opened, Loader(parts))


def _check_plannable(delegate: str, named: bool) -> None:
    if named:
        raise EdgeError(
            f"The delegate {delegate} cannot be used within a budget.",
            why="What its driver takes of the memory cannot be told beforehand.",
            fix="Load without a budget (EDGE_BUDGET counts as one), or with delegate='cpu'.",
        )


def _replanned(make: Callable[[], Plan], weight_cache: WeightCache | None) -> VisionLanguageModel:
    """Load by a plan; where its packed weights turn out not to be kept, by one that does without them."""
    if weight_cache is not None:
        weight_cache.problem = None  # what was in its way before may be gone
    try:
        return _planned(make(), weight_cache)
    except OverBudget:
        if weight_cache is None or weight_cache.problem is None:
            raise
    return _planned(make(), weight_cache)


def _planned(plan: Plan, weight_cache: WeightCache | None) -> VisionLanguageModel:
    guard = memory.Guard.of(plan)
    guard.check_start(plan)
    opened = open_bundle(plan.path)
    try:
        if plan.weight_cache:
            memory.pack_planned(plan, opened, weight_cache)
    except BaseException:
        opened.close()
        raise
    loader = Loader(bundle_parts(opened, plan, weight_cache=weight_cache))
    return VisionLanguageModel(opened, loader, plan, guard)


def _scarce(path: Path) -> bool:
    """Say whether memory is so short that a plan is worth the tenths of a second that it takes."""
    enough = _SCARCE_TIMES * path.stat().st_size + _SCARCE_BYTES
    free = [read_memory().available_bytes, read_cgroup().room_bytes]
    return any(size is not None and size < enough for size in free)
