"""A move or a homing that goes on by itself: asked after, waited for, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from firmware_bridge.error import BridgeError, BridgeTimeout

__all__ = ["Job", "JobFailed"]

_SOON_S, _LATER_S = 0.005, 0.05
_WAIT_S = 60.0


class JobFailed(BridgeError, RuntimeError):
    """A move or a homing ended otherwise than it was to."""


class Job:
    """A move or a homing under way.

    Parameters
    ----------
    what : str
        For messages: ``Moving x by 100 um``.
    look : function
        Asks how it stands: the answer to ``job``. None where nothing was begun, in a dry run.
    stop : function
        Stops its axis.
    sleep : function
        Waits between two looks.
    clock : function
        Monotonic seconds.
    """

    def __init__(
        self,
        what: str,
        look: Callable[[], dict[str, Any]] | None,
        stop: Callable[[], object],
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what = what
        self._look, self._stop, self._sleep, self._clock = look, stop, sleep, clock
        self._last: dict[str, Any] = {"state": "running" if look else "done", "at": None, "why": ""}

    def __repr__(self) -> str:
        return f"<Job: {self.what}, {self._last['state']} when last asked>"

    @property
    def state(self) -> str:
        """``running``, ``done``, ``stopped`` or ``failed``, asked now.

        Raises
        ------
        Restarted
            If the microcontroller restarted meanwhile: where the axis is, is not known.
        """
        if self._look is not None and self._last["state"] == "running":
            self._last = self._look()
        return str(self._last["state"])

    @property
    def at_um(self) -> float | None:
        """Where the axis was when `state` was last asked; None where that is not known."""
        at_um = self._last.get("at")
        return at_um if isinstance(at_um, (int, float)) else None

    @property
    def why(self) -> str:
        """Why it was stopped or failed."""
        return str(self._last.get("why", ""))

    def wait(self, timeout_s: float = _WAIT_S) -> float | None:
        """Wait until it is done, and give where the axis is then, in micrometres.

        Raises
        ------
        JobFailed
            If it was stopped, or failed.
        BridgeTimeout
            If it is still going on after `timeout_s`; it is not stopped by that.
        """
        end_s, pause_s = self._clock() + timeout_s, _SOON_S
        while True:
            try:
                state = self.state
            except BridgeTimeout:
                if self._clock() >= end_s:
                    raise
                continue
            if state == "done":
                return self.at_um
            if state != "running":
                raise JobFailed(
                    f"{self.what}: {state}.",
                    why=self.why or None,
                    fix="See why, home the axis where its position is unknown, then move again.",
                )
            if self._clock() >= end_s:
                raise BridgeTimeout(
                    f"{self.what}: still going on after {timeout_s:g} s.", fix="Wait longer, or stop it."
                )
            self._sleep(pause_s)
            pause_s = min(2 * pause_s, _LATER_S)

    def stop(self) -> None:
        """Stop it where it is."""
        self._stop()
