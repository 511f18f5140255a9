"""The lease that outputs and axes live on."""

IDLE = "idle"
LIVE = "live"
FAULT = "fault"


class Lease:
    """Counts down what is left; the state that `hello` tells.

    Parameters
    ----------
    longest_ms : int
        What a lease is cut to.
    """

    def __init__(self, longest_ms: int = 1000) -> None:
        self.longest_ms = longest_ms
        self.left_us = 0
        self.fault = ""

    @property
    def state(self) -> str:
        """``idle``, ``live`` or ``fault``."""
        if self.fault:
            return FAULT
        return LIVE if self.left_us > 0 else IDLE

    def begin(self, ms: int) -> int:
        """Begin or renew it, and give the milliseconds that were granted."""
        ms = min(ms, self.longest_ms)
        self.left_us = ms * 1000
        return ms

    def advance(self, passed_us: int) -> bool:
        """Let time pass; tell whether it has just run out."""
        if self.left_us <= 0:
            return False
        self.left_us -= passed_us
        return self.left_us <= 0
