"""Keeps a process within its plan: looks at its memory now and then, and acts before the kernel does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from edge_sdk.errors import OverBudget
from edge_sdk.memory.footprint import BASE
from edge_sdk.memory.plan import Moment, Plan
from edge_sdk.memory.private import private_bytes
from edge_sdk.memory.trim import trim
from edge_sdk.units import format_bytes

__all__ = ["Guard", "Relief"]

logger = logging.getLogger(__name__)
# Between two looks, which take some 70 us.
_EVERY_S = 0.1
# How far off the plan may be without a reason to act: what a prediction at the peak may err.
_ERROR_BYTES = 8_000_000

Relief: TypeAlias = tuple[str, Callable[[], object]]


class Guard:
    """Compares private memory with what a plan leaves for it, and has it brought down where it is more.

    Parameters
    ----------
    limit_bytes : int
        The most private memory.
    told : str
        What the limit belongs to, for errors.
    read : function
        Gives the private memory.
    clock : function
        Gives seconds.
    trim : function
        Gives freed memory back to the system.
    """

    def __init__(
        self,
        limit_bytes: int,
        told: str,
        *,
        read: Callable[[], int] = private_bytes,
        clock: Callable[[], float] = time.monotonic,
        trim: Callable[[], None] = trim,
    ) -> None:
        self.limit_bytes = limit_bytes
        self._told, self._read, self._clock, self._trim = told, read, clock, trim
        self._next_s = float("-inf")
        self._acting = threading.Lock()

    @classmethod
    def of(cls, plan: Plan) -> Guard:
        """Make the guard of a plan: private memory may take what the file pages in use at any moment leave of it.

        Those pages are the margin: past the limit the kernel drops them first, and things get slow before they end.
        """
        margin = max(_least_bytes(moment) - moment.private_bytes for moment in plan.moments)
        return cls(plan.budget.total_bytes - margin, f"{plan.bundle} within {plan.budget}")

    def check_start(self, plan: Plan) -> None:
        """Refuse a plan beforehand, where this process holds too much besides.

        Raises
        ------
        OverBudget
            The plan counts on a process that has just started; with what this one holds already it does not fit.
        """
        beside = max(0, self._read() - BASE[plan.engine].private_bytes)
        missing = max(map(_least_bytes, plan.moments)) + beside - plan.budget.total_bytes
        if missing > 0:
            raise OverBudget(
                f"{plan.bundle} does not fit into {plan.budget} beside what this program holds already.",
                why=f"It holds {format_bytes(beside)} more than a process that has just started.",
                fix=f"Free {format_bytes(missing)} of that before loading, or give a budget that much larger.",
            )

    def __repr__(self) -> str:
        return f"<Guard of {format_bytes(self.limit_bytes)} for {self._told}>"

    def check(self, steps: Sequence[Relief] = ()) -> None:
        """Look, and where there is too much take one step after the other until there is not.

        Parameters
        ----------
        steps : sequence of (str, function)
            What each gives up, for the log, and what does so. They may be called from any thread that checks.

        Raises
        ------
        OverBudget
            There is still too much after the last step.
        """
        now = self._clock()
        if now < self._next_s:
            return
        self._next_s = now + _EVERY_S
        if self._read() <= self.limit_bytes:
            return
        with self._acting:
            self._act(steps)

    def _act(self, steps: Sequence[Relief]) -> None:
        for name, step in (("memory that was freed already", self._trim), *steps):
            step()
            self._trim()
            found = self._read()
            if found <= self.limit_bytes:
                logger.info("Memory came near the budget of %s; given up: %s.", self._told, name)
                return
            logger.debug("%s private after giving up %s.", format_bytes(found), name)
        raise OverBudget(
            f"Memory ran out: {format_bytes(found)} are in use, {format_bytes(self.limit_bytes)} may be.",
            why=f"That is what is left for {self._told}; nothing more can be given up.",
            fix="Close other conversations, free what the program holds besides, or give it a larger budget.",
        )


def _least_bytes(moment: Moment) -> int:
    """Return what has to fit at a moment, less what a prediction may be too high by."""
    in_use = moment.needed_bytes - moment.private_bytes
    return moment.needed_bytes - min(_ERROR_BYTES, in_use // 2)
