"""How asking smear about pictures is measured, whoever answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from peer.turn import Job, Watch

QUESTION = "How many white blood cells are there?"
SECOND = "Are there any platelets?"
_ROUNDS = 15


def look(
    watch: Watch,
    job: Job,
    load_s: float,
    ask: Callable[[Path], Iterator[str]],
    ask_again: Callable[[], Iterator[str]],
) -> None:
    """Ask about all pictures, and keep how long words took; `Watch.start` has just been called, or `Watch.lap`.

    Parameters
    ----------
    ask : function
        Takes a picture's file, and gives the answer's pieces.
    ask_again : function
        Asks another question about the first picture.
    """
    first, *others = job.pictures
    pieces = ask(first)
    told = next(pieces)
    first_s = watch.lap()
    told += "".join(pieces)
    answer_s = first_s + watch.lap()
    second_s = _first_word(watch, ask_again)
    later_s = [_first_word(watch, partial(ask, path)) for path in others]
    watch.found |= {
        "load_s": load_s,
        "open_s": load_s + first_s,
        "question_s": _median(later_s) if later_s else first_s,
        "second_s": second_s,
    }
    if told:  # the bare sides say nothing
        watch.found |= {"answer_s": answer_s, "told": told}


def _first_word(watch: Watch, ask: Callable[[], Iterator[str]]) -> float:
    watch.start()
    pieces = ask()
    next(pieces)
    took_s = watch.lap()
    list(pieces)
    return took_s


def encode(watch: Watch, run: Callable[[], object]) -> None:
    """Keep how long it takes from a picture in memory to its features, once warm."""
    took_s = []
    for _ in range(_ROUNDS):
        watch.start()
        run()
        took_s.append(watch.lap())
    watch.found["encode_s"] = _median(took_s)


def _median(values: list[float]) -> float:
    """Give the middle value; to import `statistics` would cost every side a megabyte and a half."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
