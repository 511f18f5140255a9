"""How it stands with what rules work on: whether it answers, and whether its outputs went safe by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edge_sdk.errors import EdgeError
from edge_sdk.sensors.record import NOTE, PROBLEM
from edge_sdk.sensors.side import Side
from firmware_bridge.error import (
    BridgeClosed,
    BridgeError,
    BridgeTimeout,
    NoDevice,
    NoProtocol,
    PortBusy,
    PortGone,
)
from firmware_bridge.reading import Reading

__all__ = ["Contact"]

_READ_S = 0.5
_AWAY = (BridgeTimeout, PortGone, NoDevice, NoProtocol, PortBusy)
_GONE_S = 1.0  # the lease: outputs are safe by then


class Contact:
    """The contact with a side.

    Parameters
    ----------
    side : Side
        Open.
    sensors : sequence of str
        Which of its sensors are read.
    say : function
        Takes a record's kind, what it is about, and its text.
    clock : function
        Monotonic seconds.

    Attributes
    ----------
    gone : bool
        Whether it has not answered for so long that its outputs are safe.
    silent : bool
        Whether it did not answer when it was read just now.
    """

    def __init__(
        self, side: Side, sensors: Sequence[str], say: Callable[[str, str, str], object], clock: Callable[[], float]
    ) -> None:
        self.side, self.gone, self.silent = side, False, False
        self._sensors, self._say, self._clock = sensors, say, clock
        self._answered_s = clock()
        self._epoch = side.epoch

    def read(self) -> Iterator[tuple[str, Reading | str]]:
        """Read every sensor once; where one does not answer, give why in its place."""
        silent, self.silent = "", False
        for name in self._sensors:
            if silent:  # it is not there: to ask for each sensor would take a time-out each
                yield name, silent
                continue
            try:
                found: Reading | str = self.side.sensor(name).read(timeout_s=_READ_S)
                self._answered_s = self._clock()
            except BridgeClosed:
                raise
            except BridgeError as error:
                found = error.what
                if isinstance(error, _AWAY):
                    silent, self.silent = error.what, True
                else:  # it answers, if only that this sensor does not
                    self._answered_s = self._clock()
            yield name, found

    def look(self) -> bool:
        """Tell when it is gone, back or restarted; say whether its outputs went safe, so that rules begin anew."""
        kind, anew = self.side.kind, False
        gone = bool(self._sensors) and self._clock() - self._answered_s > _GONE_S
        if gone and not self.gone:
            self._say(PROBLEM, kind, f"the {kind} does not answer; its outputs go safe by themselves")
        elif self.gone and not gone:
            self._say(NOTE, kind, f"the {kind} answers again; its outputs are safe, rules begin anew")
            anew = True
        self.gone = gone
        epoch = self.side.epoch
        if not gone and epoch != self._epoch:
            why = "restarted" if epoch[0] != self._epoch[0] else "went without a lease for a while"
            self._say(PROBLEM, kind, f"the {kind} {why}; its outputs are safe, rules begin anew")
            self._epoch, anew = epoch, True
        return anew

    @property
    def away(self) -> bool:
        """Whether its outputs are safe and nothing can be set: to try would keep rules on other sides waiting."""
        return self.gone or not self.side.lease.held

    def stop(self) -> None:
        """Make its outputs safe; of one that is away they are, and it would be waited for."""
        if self.away:
            return
        try:
            self.side.stop()
        except EdgeError as error:  # the lease that nobody renews does it
            self._say(PROBLEM, self.side.kind, f"not told to stop: {error.what} The lease runs out within a second.")
