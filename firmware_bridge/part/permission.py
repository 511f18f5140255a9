"""What may act: outputs and axes that were allowed by name, and a record of what would have been done in a dry run."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from firmware_bridge.error import NotAllowed

__all__ = ["Action", "Permission"]

logger = logging.getLogger("edge_sdk.bridge")

_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Action:
    """What would have been done.

    Attributes
    ----------
    name : str
        Of the output or axis.
    what : str
        ``set``, ``move_by_um``, ``move_to_um`` or ``home``.
    value : number, list or None
        What it was to be set or moved to.
    time_s : float
        On the line of ``time.monotonic()``.
    """

    name: str
    what: str
    value: Any
    time_s: float


class Permission:
    """Says what may act.

    Parameters
    ----------
    allowed : collection of str
        Names of outputs and axes.
    dry_run : bool
        Record what is allowed, and do none of it.
    clock : function
        Monotonic seconds.

    Attributes
    ----------
    actions : deque of Action
        The last thousand of a dry run.
    """

    def __init__(self, allowed: Collection[str], *, dry_run: bool, clock: Callable[[], float]) -> None:
        self.allowed = frozenset(allowed)
        self.dry_run = dry_run
        self._clock = clock
        self.actions: deque[Action] = deque(maxlen=_KEPT)

    def check(self, name: str) -> None:
        """Raise NotAllowed for a name that was not allowed."""
        if name not in self.allowed:
            names = ", ".join(repr(one) for one in sorted({*self.allowed, name}))
            raise NotAllowed(
                f"{name} is not allowed to act.",
                why="Outputs and axes act only where they were allowed by name, so that nothing moves unasked.",
                fix=f"open_bridge(..., allow=({names},))",
            )

    def only_recorded(self, name: str, what: str, value: Any = None) -> bool:
        """Check a name; in a dry run record what was to be done, and say that it is not to be."""
        self.check(name)
        if self.dry_run:
            self.actions.append(Action(name, what, value, self._clock()))
            logger.info("Dry run: %s %s %s", name, what, "" if value is None else value)
        return self.dry_run
