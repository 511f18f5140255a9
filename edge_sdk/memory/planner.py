"""Make a plan: a bundle's headers, a budget and what sections take, put together before any weight is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from boards import Profile, detect, find_profile, profiles
from boards.topology import big_processors
from edge_sdk.errors import EdgeError, ModelError
from edge_sdk.memory.budget import Budget, budget_of
from edge_sdk.memory.choice import Tried, choose, least, steps_to
from edge_sdk.memory.cost import BundleCosts
from edge_sdk.memory.family import open_family
from edge_sdk.memory.flash import READ_RATE_BYTES_PER_S
from edge_sdk.memory.ladder import Costs, Rung, beyond_bytes, rungs
from edge_sdk.memory.outline import Outline
from edge_sdk.memory.plan import Plan, Step
from edge_sdk.memory.refusal import amount, refuse
from edge_sdk.memory.setting import check_settings
from edge_sdk.memory.thread_choice import ThreadChoice, remembered_threads
from edge_sdk.runtime import WeightCache
from edge_sdk.runtime.interpreter import NEWER
from edge_sdk.units import format_bytes

__all__ = ["engine_threads", "plan_for", "plan_of"]

_THREADS_MAX = 4  # past four threads a step of a small decoder gains nothing on the boards' shared memory bus
_LITTLE = ("Cortex-A7", "Cortex-A35", "Cortex-A53", "Cortex-A55")


def plan_for(
    bundle: str | os.PathLike[str],
    *,
    budget: str | int | Budget | None = None,
    board: str | Profile | None = None,
    ram_bytes: int | None = None,
    engine: str = "auto",
    threads: int | None = None,
    stream: bool = False,
    task: str = "all",
    read_rate_bytes_per_s: int | None = None,
    weight_cache: WeightCache | None = None,
) -> Plan:
    """Say how a bundle will run within a budget, before any of its weights is read.

    Parameters
    ----------
    bundle : str or path
        A name that ``edge bundle list`` shows, or a file. The name of a family (``smear``) stands for the best of
        its variants (``smear@int4``) that fits.
    budget : str, int or Budget, optional
        How much memory may be taken, such as ``"512MB"``; by default what there is.
    board : str or Profile, optional
        A board to plan for that is not this machine, such as ``"rpi-zero-2w"``.
    ram_bytes : int, optional
        Which of its RAM options; the smallest by default.
    engine : {'auto', 'litert', 'interpreter'}
        Which runtime to use.
    threads : int, optional
        Of the engine; by default what was measured to be best, or else the board's big cores, four at most.
    stream : bool
        Read weights from flash again and again rather than refuse.
    task : {'all', 'ask', 'count', 'text'}
        What must work. With ``all``, what does not fit may be left out in the end.
    read_rate_bytes_per_s : int, optional
        What the flash delivers (`edge_sdk.memory.flash.measure_read_rate` tells); by default 20 MB/s is assumed.
    weight_cache : WeightCache, optional
        Where packed weights are kept between runs.

    Raises
    ------
    OverBudget
        It does not fit; the error says how much is missing and what would fit.
    ModelError
        No engine that is here, or on the board, takes what the task needs.
    BundleError
        There is no such bundle, or it is damaged.
    EdgeError
        The board is not known or does not run the SDK, or a setting makes no sense.

    Examples
    --------
    >>> plan = plan_for("smear", budget="300MB")
    >>> [section.mode for section in plan.sections][:1]
    ['resident']
    """
    profile = find_profile(board) if isinstance(board, str) else board
    check_settings(engine, threads, task, read_rate_bytes_per_s)
    if profile is not None and profile.unsupported:
        raise EdgeError(f"{profile.name} does not run this SDK.", why=profile.unsupported)
    limit = budget if isinstance(budget, Budget) else budget_of(budget, board=profile, ram_bytes=ram_bytes)
    cache = weight_cache or WeightCache.usual()
    with open_family(bundle) as members:
        measured = None
        if threads is None and profile is None and engine != "interpreter":
            measured = next(filter(None, (remembered_threads(member.bundle, cache) for member in members)), None)
        count = threads or (measured.threads if measured else engine_threads(profile))
        costs = BundleCosts(members, count, cache, profile)
        return plan_of(
            [member.outline for member in members],
            limit,
            costs,
            engines=costs.engines(engine),
            threads=count,
            thread_choice=measured,
            stream=stream,
            task=task,
            read_rate_bytes_per_s=read_rate_bytes_per_s,
        )


def plan_of(
    outlines: Sequence[Outline],
    budget: Budget,
    costs: Costs,
    *,
    engines: Sequence[tuple[str, bool]] = (("litert", True),),
    threads: int = 1,
    thread_choice: ThreadChoice | None = None,
    stream: bool = False,
    task: str = "all",
    read_rate_bytes_per_s: int | None = None,
    boards: Sequence[Profile] | None = None,
) -> Plan:
    """Plan from outlines and costs alone; the same ones give the same plan on any machine.

    Raises
    ------
    OverBudget
        Nothing fits.
    ModelError
        No engine that is here takes what the task needs.
    """
    made = _made_for(task, outlines)

    def attempt(task: str, *, stream: bool, packed: bool = False) -> tuple[Tried | None, tuple[Tried, ...]]:
        return choose(made, task, engines, costs, budget.total_bytes, stream=stream, packed=packed)

    delivered = read_rate_bytes_per_s or READ_RATE_BYTES_PER_S
    chosen, tried = attempt(task, stream=stream)
    if not tried:
        first = next(rungs(made, task, engines, stream=stream))
        raise ModelError(f"{made[0].name} does not run here.", why=costs.refusal(first), fix=NEWER)
    if chosen is None:
        others = _alternatives(attempt, costs, task, stream=stream, rate=delivered)
        known = tuple(profiles().values()) if boards is None else boards
        lowest = least(tried)
        raise refuse(made[0].name, budget, lowest, others, known, _obstacle(lowest.rung, engines, costs))
    rate = _tokens_per_s(chosen, costs, delivered)
    speed = _speed(rate, delivered, assumed=read_rate_bytes_per_s is None)
    obstacle = _obstacle(chosen.rung, engines, costs)
    steps = steps_to(chosen, tried, stream=stream, speed=speed, obstacle=obstacle)
    plan = _plan(chosen, budget, costs, task=task, threads=threads, steps=steps, tokens_per_s=rate)
    return replace(plan, thread_choice=thread_choice)


def _plan(
    chosen: Tried,
    budget: Budget,
    costs: Costs,
    *,
    task: str,
    threads: int,
    steps: tuple[Step, ...],
    tokens_per_s: float | None,
) -> Plan:
    """Write down what was chosen."""
    rung = chosen.rung
    return Plan(
        name=rung.outline.name,
        variant=rung.outline.variant,
        path=rung.outline.path,
        task=task,
        budget=budget,
        sections=chosen.sections,
        cache_length=rung.cache_length,
        visual_tokens=rung.visual_tokens if rung.sight else None,
        engine=rung.engine,
        threads=threads,
        weight_cache=rung.weight_cache,
        moments=chosen.moments,
        steps=steps,
        tokens_per_s=tokens_per_s,
        measured=costs.measured(rung),
        carried=costs.carried(rung),
    )


def _obstacle(rung: Rung, engines: Sequence[tuple[str, bool]], costs: Costs) -> str:
    """Say why a rung's packed weights are not kept, where they would be if they could."""
    if rung.weight_cache or (rung.engine, True) not in engines:
        return ""
    return costs.obstacle(replace(rung, weight_cache=True))


def _made_for(task: str, outlines: Sequence[Outline]) -> list[Outline]:
    """Return the variants that are made for a task; where frames matter, a blind one does not stand in for others."""
    made = [outline for outline in outlines if outline.for_task(task)]
    if task == "ask" and any(outline.sight for outline in made):
        made = [outline for outline in made if outline.sight]
    if not made:
        raise EdgeError(
            f"{outlines[0].name} cannot do what the task {task!r} wants.",
            why=f"It has: {', '.join(outlines[0].sections)}.",
            fix="Take another bundle, or another task.",
        )
    return made


def engine_threads(board: Profile | None = None) -> int:
    """Return how many threads an engine gets: a board's big cores, four at the most.

    Little cores would hold the big ones up: an engine shares its work evenly. Without a board it is this machine's,
    or as many as there are processors where its cores are not known.
    """
    profile = board or detect().profile
    big = sum(cluster.count for cluster in profile.clusters if cluster.core not in _LITTLE)
    cores = big or profile.cores or _THREADS_MAX
    here = len(big_processors()) if board is None else cores
    return max(1, min(cores, here, _THREADS_MAX))


def _tokens_per_s(tried: Tried, costs: Costs, rate_bytes_per_s: int) -> float | None:
    """Return how fast streamed weights let it answer, None where nothing is streamed."""
    if not tried.rung.streamed:
        return None
    beyond = beyond_bytes(tried.rung, tried.sections, tried.moments, costs)
    return rate_bytes_per_s / beyond if beyond > 0 else None


def _speed(tokens_per_s: float | None, rate_bytes_per_s: int, *, assumed: bool) -> str:
    """Tell the speed of streaming, and what it was worked out from."""
    if tokens_per_s is None:
        return "All weights have room, so the flash is read once."
    flash = f"a flash that delivers {format_bytes(rate_bytes_per_s)}/s{', which is assumed' if assumed else ''}"
    return f"{tokens_per_s:.2g} tokens/s at the best, from {flash}."


def _alternatives(
    attempt: Callable[..., tuple[Tried | None, tuple[Tried, ...]]], costs: Costs, task: str, *, stream: bool, rate: int
) -> list[str]:
    """Say what would fit besides more memory: weights packed elsewhere, streaming, or less that must work."""
    found = []
    packed, _ = attempt(task, stream=stream, packed=True)
    if packed is not None:
        need = next(item for item in attempt(task, stream=stream)[1] if item.rung == packed.rung)
        found.append(
            f"load it once with {amount(need.needed_bytes)}, which packs its weights (once other programs are "
            f"stopped, or with this card in a board with the same processor and more memory): from then on "
            f"{amount(packed.needed_bytes)} are enough"
        )
    if not stream:
        streamed, _ = attempt(task, stream=True)
        if streamed is not None and streamed.rung.streamed:
            speed = _tokens_per_s(streamed, costs, rate)
            told = f", which gives {speed:.2g} tokens/s at the best" if speed else ""
            found.append(f"stream its weights from flash (stream=True, or --stream){told}")
    for less, does in (("count", "counts and embeds frames alone"), ("text", "answers without frames")):
        if task in ("all", "ask") and (fits := attempt(less, stream=False)[0]):
            found.append(f"take the part that {does} (task={less!r}, or --task {less}): {amount(fits.needed_bytes)}")
    return found
