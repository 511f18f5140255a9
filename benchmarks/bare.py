"""The engine's runs without anything around them: what the SDK's own share of the time is measured against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from edge_sdk.runtime import Run
from edge_sdk.runtime.litert import _LiteRtRun

__all__ = ["bare_calls", "recorded_runs"]


def bare_calls(runs: list[Run]) -> Callable[[], None]:
    """Give a function that calls LiteRT's C function for each of these runs, and does nothing else.

    Sizes and buffers are the runs' own; the arguments were made beforehand.
    """
    calls = [_call(run) for run in runs]

    def call_all() -> None:
        for function, arguments in calls:
            assert function(*arguments) == 0

    return call_all


@contextmanager
def recorded_runs() -> Iterator[list[Run]]:
    """Note every run of the engine in the block, in order."""
    runs: list[Run] = []
    invoke = _LiteRtRun._invoke

    def note(run: _LiteRtRun) -> None:
        runs.append(run)
        invoke(run)

    _LiteRtRun._invoke = note  # type: ignore[method-assign]
    try:
        yield runs
    finally:
        _LiteRtRun._invoke = invoke  # type: ignore[method-assign]


def _call(run: Run) -> tuple[Any, tuple[Any, ...]]:
    """Give the C function and the arguments that a run calls it with."""
    assert isinstance(run, _LiteRtRun), "the engine is LiteRT's"
    noted: list[tuple[Any, ...]] = []

    def note(*arguments: Any) -> int:
        noted.append(arguments)
        return 0

    function, run._function = run._function, note
    try:
        run._invoke()
    finally:
        run._function = function
    return function, noted[0]
