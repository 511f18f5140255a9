"""What can go wrong between a board and its microcontroller; each error also is the builtin that fits."""

from __future__ import annotations

from boards.errors import EdgeError

__all__ = [
    "BridgeClosed",
    "BridgeError",
    "BridgeTimeout",
    "NoDevice",
    "NoProtocol",
    "NotAllowed",
    "OutcomeUnknown",
    "PortBusy",
    "PortGone",
    "Refused",
    "Restarted",
    "StaleReading",
    "UnknownName",
]


class BridgeError(EdgeError, OSError):
    """The bridge to the microcontroller did not do what was asked."""


class BridgeTimeout(BridgeError, TimeoutError):
    """No answer came in time; what was asked did not run, and will not run later.

    Attributes
    ----------
    sends : int
        How often it was sent.
    """

    sends = 0


class OutcomeUnknown(BridgeError, RuntimeError):
    """A command was sent and no answer came: it may have run, or not."""


class Restarted(BridgeError, ConnectionResetError):
    """The microcontroller restarted, or its session was lost: outputs are safe, positions unknown."""


class PortGone(BridgeError, ConnectionError):
    """The port is no longer there: unplugged, or the other side closed it."""


class PortBusy(BridgeError, BlockingIOError):
    """Another process uses the port, or holds the lease."""


class NoDevice(BridgeError, FileNotFoundError):
    """There is no device at an address, or more than one where one was expected."""


class NoProtocol(BridgeError, ConnectionRefusedError):
    """What answers speaks another protocol, or none of ours."""


class NotAllowed(BridgeError, PermissionError):
    """An output or an axis was to act that the caller of `open_bridge` did not allow by name."""


class UnknownName(BridgeError, LookupError):
    """The microcontroller has no sensor, output or axis of that name."""


class BridgeClosed(BridgeError, ValueError):
    """A bridge was used after it was closed."""


class StaleReading(EdgeError, LookupError):
    """There is no reading that is young enough, or none around a time; an old one is never given in its place."""


class Refused(BridgeError, PermissionError):
    """The microcontroller answered that it will not.

    Attributes
    ----------
    rc : int
        Its reason, as `firmware_bridge.wire.number` names them; 0 where the error was not of our group.
    """

    rc = 0
