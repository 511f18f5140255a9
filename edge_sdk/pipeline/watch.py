"""Counts and answers for frame after frame, without encoding again what shows nothing new."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from edge_sdk.frame import Frame
from edge_sdk.pipeline.answer import Answer
from edge_sdk.pipeline.gate import Gate

if TYPE_CHECKING:
    from edge_sdk.pipeline.count import Count

__all__ = ["compare_frames", "watch_answers", "watch_counts"]


def compare_frames(
    frames: Iterable[object], region: Sequence[float] | None = None, *, gate: bool = True
) -> Iterator[tuple[Frame, Frame]]:
    """Give each frame, and the last one that showed something new: itself, where it does.

    Parameters
    ----------
    frames : iterable
        A camera, or anything else that gives what `Frame.of` takes.
    region : four numbers, optional
        What is looked at; outside of it nothing is news.
    gate : bool
        Whether frames are compared; else each of them is new.

    Examples
    --------
    >>> import numpy as np
    >>> still = [Frame.of(np.full((120, 160), 99, np.uint8)) for _ in range(7)]
    >>> [new is frame for frame, new in compare_frames(still)]
    [True, True, True, True, False, False, False]
    """
    judge = Gate() if gate else None
    new: Frame | None = None
    for thing in frames:
        frame = Frame.of(thing)
        if judge is None or judge.is_new(frame if region is None else frame.crop(region)) or new is None:
            new = frame
        yield frame, new


def watch_counts(pairs: Iterable[tuple[Frame, Frame]], count: Callable[[Frame], Count]) -> Iterator[Count]:
    """Count the frames that show something new; of the others, give the last count under their own name."""
    found: Count | None = None
    for frame, new in pairs:
        if found is None or new is frame:
            found = count(frame)
            yield found
        else:
            yield found.standing_for(frame)


def watch_answers(pairs: Iterable[tuple[Frame, Frame]], ask: Callable[[Frame, float], Answer]) -> Iterator[Answer]:
    """Ask about the frames that show something new; of the others, about the last that did, with their own time."""
    for frame, new in pairs:
        answer = ask(new, frame.time_s)
        yield answer if new is frame else answer.standing_for(frame)
