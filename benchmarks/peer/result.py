"""What the turns of a contest come to: medians and spreads, ratios within turns, and whether goals are reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from peer import limit
from peer.material import Material

Runs = Mapping[str, Sequence[Mapping[str, Any]]]
_LM, _Q8, _Q4 = "litert_lm", "llama_q8_0", "llama_q4_0"


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio that the project aims at: ours to the other's, or to the better of two.

    Attributes
    ----------
    what, measure : str
        For people, and in JSON.
    others : tuple of str
        Whom against; of several, the one that takes least in that turn.
    bar : float
        The goal itself.
    at_least : bool
        Whether more is better.
    side : str
        Which of ours.
    """

    what: str
    measure: str
    others: tuple[str, ...]
    bar: float
    at_least: bool = False
    side: str = "ours"


_DECODE, _PREFILL, _READY = "decode_tokens_per_s", "prefill_tokens_per_s", "ours_prepared"
GOALS = {
    "135m": (
        Goal("decode", _DECODE, (_LM,), 2.2, at_least=True),
        Goal("decode", _DECODE, (_Q8,), 1.10, at_least=True),
        Goal("prefill", _PREFILL, (_LM,), 2.2, at_least=True, side=_READY),
        Goal("prefill", _PREFILL, (_Q8,), 3.0, at_least=True, side=_READY),
        Goal("time to first token, loaded", "question_s", (_LM, _Q8), 0.5, side=_READY),
        Goal("time to first token, from opening the file", "open_s", (_LM, _Q8), 0.5),
        Goal("peak RSS", "peak_rss_bytes", (_LM,), 0.67),
        Goal("peak RSS", "peak_rss_bytes", (_Q8,), 0.90),
        Goal("private memory", "private_bytes", (_Q8,), 0.75),
        Goal("decode of INT4", _DECODE, ("ours",), 1.3, at_least=True, side="ours_int4"),
    )
}
_SHARE = 0.85  # of what memory's rate allows, in decoding


def summarise(
    material: Material, runs: Runs, read_bytes_per_s: Sequence[float], sizes: tuple[int, int]
) -> dict[str, Any]:
    """Put the turns of one shape together.

    Parameters
    ----------
    sizes : tuple of int
        Tokens of prompt and answer.
    """
    shares = _shares(material, runs, read_bytes_per_s, sizes)
    spread = {name: _sides(taken) | shares.get(name, {}) for name, taken in runs.items() if taken}
    result: dict[str, Any] = {"sides": spread, "ratio": _ratios(runs)}
    if read_bytes_per_s:
        result["read_bytes_per_s"] = _spread(read_bytes_per_s)
    result["goals"] = [found for goal in GOALS.get(material.shape, ()) if (found := _judge(goal, runs))]
    if material.shape in GOALS and "ours" in shares:
        found = shares["ours"]["share_of_limit"]["median"]
        goal = {"what": "decode, as a share of what memory's rate allows", "against": [], "found": found}
        result["goals"].append(goal | {"bar": _SHARE, "at_least": True, "reached": found >= _SHARE})
    return result


def _sides(taken: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give each measure's spread; a text as it was last."""
    keys = {key: taken[-1][key] for key in taken[-1] if all(key in run for run in taken)}
    return {key: last if isinstance(last, str) else _spread([run[key] for run in taken]) for key, last in keys.items()}


def _spread(values: Sequence[float]) -> dict[str, float]:
    picks: tuple[tuple[str, Callable[..., float]], ...] = (("median", median), ("least", min), ("most", max))
    return {name: float(f"{pick(values):.6g}") for name, pick in picks}


def _ratios(runs: Runs) -> dict[str, dict[str, float]]:
    """Give the median over the turns of ours to each other's, measure by measure."""
    ours = runs.get("ours", ())
    found: dict[str, dict[str, float]] = {}
    for name, taken in runs.items():
        if name == "ours" or len(taken) != len(ours) or not ours:
            continue
        both = [key for key in ours[0] if key in taken[0] and not isinstance(ours[0][key], str)]
        pairs = list(zip(ours, taken, strict=True))
        found[name] = {key: round(median(own[key] / other[key] for own, other in pairs), 3) for key in both}
    return found


def _judge(goal: Goal, runs: Runs) -> dict[str, Any] | None:
    """Hold a goal against the turns; nothing where a side did not take part."""
    if any(not runs.get(name) for name in (goal.side, *goal.others)):
        return None
    turns = zip(runs[goal.side], *(runs[name] for name in goal.others), strict=True)
    found = round(median(own[goal.measure] / min(other[goal.measure] for other in others) for own, *others in turns), 3)
    reached = found >= goal.bar if goal.at_least else found <= goal.bar
    told = {"what": goal.what, "against": list(goal.others), "found": found, "bar": goal.bar}
    return told | {"at_least": goal.at_least, "reached": reached}


def _shares(
    material: Material, runs: Runs, read_bytes_per_s: Sequence[float], sizes: tuple[int, int]
) -> dict[str, dict[str, Any]]:
    """Give for each side what a token reads, and which share of memory's rate that comes to, turn by turn."""
    found: dict[str, dict[str, Any]] = {}
    for name, taken in runs.items():
        if not material.config or len(taken) != len(read_bytes_per_s) or not taken:
            continue
        token = limit.weight_bytes(material.config, name)
        token += limit.cache_bytes(material.config, name, material.lengths, *sizes)
        shares = [run[_DECODE] * token / rate for run, rate in zip(taken, read_bytes_per_s, strict=True)]
        found[name] = {"bytes_per_token": token, "share_of_limit": _spread(shares)}
    return found
