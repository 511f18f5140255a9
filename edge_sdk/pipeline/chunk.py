"""How a prompt is cut: the sequence of runs that costs least, of those that a model offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["Chunk", "plan_chunks"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run that a model offers.

    Attributes
    ----------
    size : int
        Rows of the cache that it writes, filled or not.
    cost : float
        What it takes, in any unit.
    scored : bool
        Whether it tells what may follow the last of its tokens.
    reach : int or None
        How many places of the cache it sees, from the first; all, unless told.
    name : str
        Its signature's.
    count : int
        In a plan: how many tokens go into it.
    """

    size: int
    cost: float
    scored: bool = False
    reach: int | None = None
    name: str = ""
    count: int = 0


def plan_chunks(
    left: int, position: int, length: int, offered: Sequence[Chunk], *, scored: bool = False
) -> tuple[float, list[Chunk]]:
    """Cover tokens by the runs that cost least together.

    A run that is not filled costs as much as a full one; the next one writes over the rows that it left. All its rows
    are written, and must not pass the end of the cache: the engine would shift it back, over rows that are in use. Nor
    must they pass what a run sees.

    Parameters
    ----------
    left : int
        Tokens to cover.
    position : int
        Tokens in the cache before them.
    length : int
        Tokens that the cache holds.
    offered : sequence of Chunk
        The runs; one of size 1 must be among them.
    scored : bool
        The last run must be one that is scored.

    Returns
    -------
    float, list of Chunk
        What they cost together, and the runs in their order.

    Raises
    ------
    ValueError
        They do not fit.

    Examples
    --------
    >>> offered = [Chunk(128, 9.0), Chunk(16, 2.0), Chunk(1, 1.0, scored=True)]
    >>> [chunk.size for chunk in plan_chunks(145, 0, 1024, offered)[1]]
    [128, 16, 1]
    >>> [chunk.size for chunk in plan_chunks(100, 0, 1024, offered)[1]]
    [128]
    >>> begins = Chunk(128, 8.0, reach=128)
    >>> [(chunk.size, chunk.reach) for chunk in plan_chunks(140, 0, 1024, [begins, *offered])[1]]
    [(128, 128), (16, None)]
    >>> [chunk.size for chunk in plan_chunks(100, 920, 1024, offered)[1]]
    [16, 16, 16, 16, 16, 16, 1, 1, 1, 1]
    >>> [(chunk.size, chunk.count) for chunk in plan_chunks(128, 0, 1024, offered, scored=True)[1]]
    [(128, 127), (1, 1)]
    """
    if position + left > length:
        raise ValueError(f"{left} tokens after {position} do not fit into a cache of {length}.")
    # Of each run: how many tokens it leaves at least, the very last where that needs a score and this gives none.
    kinds = [
        (chunk, chunk.size, chunk.cost, int(scored and not chunk.scored), length - min(length, chunk.reach or length))
        for chunk in offered
    ]
    kinds.sort(key=lambda kind: -kind[1])
    best: list[float] = [0.0]  # what the last n tokens cost at least, and the run that they begin with
    first: list[tuple[Chunk, int] | None] = [None]  # with how many of them it takes
    for count in range(1, left + 1):
        room = length - position - left + count
        least, chosen = float("inf"), None
        for chunk, size, own_cost, leaves, unseen in kinds:
            rest = count - size if count - size > leaves else leaves
            if size > room - unseen or rest >= count:
                continue
            cost = own_cost + best[rest]
            if cost < least:
                least, chosen = cost, (chunk, count - rest)
        best.append(least)
        first.append(chosen)
    return best[left], _follow(left, first)


def _follow(left: int, first: list[tuple[Chunk, int] | None]) -> list[Chunk]:
    found = []
    while left > 0:
        chosen = first[left]
        if chosen is None:
            raise ValueError("There is no run of one token.")
        chunk, count = chosen
        found.append(replace(chunk, count=count))
        left -= count
    return found
