"""Renews the lease that outputs and axes live on, for as long as the work of this process is alive."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

from firmware_bridge.error import BridgeError
from firmware_bridge.heartbeat import Heartbeat

__all__ = ["RENEW_S", "Keeper"]

logger = logging.getLogger("edge_sdk.bridge")

RENEW_S = 0.2


class Keeper:
    """Renews a lease every 200 ms, and gives it back when a beat is overdue: all outputs go safe then, all axes stop.

    Parameters
    ----------
    renew : function
        Asks for so many milliseconds; 0 gives the lease back.
    heartbeat : Heartbeat
        Says whether the work is alive, on its own clock.
    lease_s : float
        How long a lease is. It is longer while a long step was announced.
    longest_s : function
        Gives the longest that the microcontroller grants.

    Attributes
    ----------
    alive : bool
        Whether the work was alive when it was last looked at.
    lapses : int
        How often it was not, or the lease ran out because this process stood still or the line did.
    """

    def __init__(
        self,
        renew: Callable[[int], object],
        heartbeat: Heartbeat,
        *,
        lease_s: float = 1.0,
        longest_s: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._renew, self._heartbeat, self._longest_s = renew, heartbeat, longest_s
        self.lease_s = lease_s
        self.alive = True
        self.lapses = 0
        self._until_s: float | None = math.inf  # when what was granted last runs out; a session begins with one
        self._due = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def held(self) -> bool:
        """Whether a lease runs, as far as this side knows: without one nothing can be set."""
        until_s = self._until_s
        return until_s is not None and self._heartbeat.clock() < until_s

    def tick(self) -> None:
        """Do what is due: renew the lease, or let it go."""
        longest_s = self._longest_s()
        lease_s = min(self.lease_s, longest_s)
        late_s = self._heartbeat.late_s(lease_s, longest_s)
        if late_s <= 0:
            if not self.alive:
                logger.warning("The work goes on: the lease is renewed, and outputs may be set again.")
            self.alive = True
            self._ask(max(lease_s, self._heartbeat.expected_s(longest_s)))
        elif self.alive:
            self.alive = False
            self.lapses += 1
            logger.error("The work stands still: no beat came in time, so all outputs go to their safe values.")
            self._ask(0)

    def _ask(self, lease_s: float) -> None:
        asked_s = self._heartbeat.clock()
        try:
            self._renew(round(lease_s * 1000))
        except BridgeError as error:  # without a lease everything is safe; it is asked for again soon
            logger.debug("The lease was not renewed: %s", error)
            return
        if self._until_s is not None and asked_s > self._until_s:
            self.lapses += 1
            logger.error("The lease had run out before it was renewed: all outputs went to their safe values.")
        self._until_s = asked_s + lease_s if lease_s else None

    def start(self) -> None:
        """Renew in a thread of its own from now on."""
        self._heartbeat.watch(self._due.set)
        self._thread = threading.Thread(target=self._run, name="bridge-lease", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closed:
            self._due.clear()
            try:
                self.tick()
            except Exception:  # a thread that ended would leave everything safe, and nothing usable
                logger.exception("The lease was not renewed, and is asked for again.")
            self._due.wait(min(RENEW_S, self.lease_s / 4))

    def close(self) -> None:
        """Renew no more; twice is harmless."""
        self._closed = True
        self._heartbeat.unwatch(self._due.set)
        self._due.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=1)
