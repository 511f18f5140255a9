"""How a bundle is to be run, as its user said it."""

from __future__ import annotations

from edge_sdk.errors import EdgeError
from edge_sdk.memory.section import TASKS
from edge_sdk.runtime import ENGINES

__all__ = ["check_settings"]


def check_settings(engine: str, threads: int | None, task: str, read_rate_bytes_per_s: int | None = None) -> None:
    """Check what was said about how a bundle is to be run, before anything is looked at.

    Raises
    ------
    EdgeError
        There is no such engine or task, or a number makes no sense.
    """
    if engine not in ("auto", *ENGINES):
        raise EdgeError(f"There is no engine {engine!r}.", fix=f"Use one of: auto, {', '.join(ENGINES)}.")
    if task not in TASKS:
        raise EdgeError(f"There is no task {task!r}.", fix=f"Use one of: {', '.join(TASKS)}.")
    for name, value in (("threads", threads), ("read_rate_bytes_per_s", read_rate_bytes_per_s)):
        if value is not None and value < 1:
            raise EdgeError(f"{name}={value} makes no sense.", fix="Give a whole number from 1 on, or leave it out.")
