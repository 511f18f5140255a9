"""What a link counted: requests, what was sent again, what was dropped and why."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Statistics"]


@dataclass(slots=True)
class Statistics:
    """Counts since a bridge was opened.

    Attributes
    ----------
    requests, answers : int
        Asked, and answered.
    retransmits, timeouts : int
        Sent again; given up.
    dropped : dict
        Messages that were dropped, by cause: those of `LineReader`, ``message`` (none, or of another version),
        ``unasked`` (no request waits for it) and ``late`` (older than what was asked).
    noise_bytes : int
        Bytes outside of messages: a boot log, a REPL, damage.
    disconnects, restarts, lapses : int
        Times that the port was gone, that the microcontroller had restarted, and that the work stood still, so that the
        lease was let go.
    round_trip_s, least_round_trip_s : float or None
        Smoothed, and the shortest.
    """

    requests: int = 0
    answers: int = 0
    retransmits: int = 0
    timeouts: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    noise_bytes: int = 0
    disconnects: int = 0
    restarts: int = 0
    lapses: int = 0
    round_trip_s: float | None = None
    least_round_trip_s: float | None = None

    def drop(self, cause: str) -> None:
        """Count a message that was dropped."""
        self.dropped[cause] = self.dropped.get(cause, 0) + 1
