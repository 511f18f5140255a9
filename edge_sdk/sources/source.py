"""What a camera reads from: one class per kind of source follows this protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from edge_sdk.errors import CameraError
from edge_sdk.frame import Frame

__all__ = ["Options", "Source"]

Number = TypeVar("Number", int, float, str)


class Source(Protocol):
    """One kind of source, opened when it is made; a camera calls it from one thread at a time, but for `interrupt`.

    Attributes
    ----------
    name : str
        What messages and frames call it.
    live : bool
        True where time goes on without us: the newest frame wins, repeats are noticed, and it may be
        unplugged and come back. False where every frame counts, in order.
    interval_s : float
        It is asked for a frame no more often than this; 0 where it keeps time itself.
    """

    name: str
    live: bool
    interval_s: float

    def read(self, sequence: int) -> Frame | None:
        """Wait for the next frame and give it that number; None when there are no more.

        Raises
        ------
        CameraError
            If the device is gone; `reopen` is tried then, where the source is live.
        FrameError
            If this one frame cannot be had; the next one is read all the same.
        """

    def reopen(self) -> None:
        """Find the device again after it was gone; raises CameraError while it still is."""

    def interrupt(self) -> None:
        """Make a `read` or `reopen` that waits give up soon; it alone is called from another thread."""

    def close(self) -> None:
        """Let go of the device; twice is harmless."""


class Options:
    """The settings of a source, taken by name and type; what is left over is an error.

    Parameters
    ----------
    values : mapping
        Names and values, as they stood behind the ``?`` of an address or among the keyword arguments.
    uri : str
        The address, for messages.

    Examples
    --------
    >>> options = Options({"rate_hz": "15"}, "sim://smear")
    >>> options.take("rate_hz", float, 30.0), options.take("seed", int, 0)
    (15.0, 0)
    >>> options.check()
    """

    def __init__(self, values: Mapping[str, str | float], uri: str) -> None:
        self._left = dict(values)
        self._uri = uri
        self._known: list[str] = []

    def take(self, name: str, kind: Callable[[str], Number], default: Number) -> Number:
        """Give a setting of a type, or the default where it is not set.

        Raises
        ------
        CameraError
            If the value is not of the type, or not above 0 where it is a size or a rate.
        """
        self._known.append(name)
        text = str(self._left.pop(name, default))
        try:
            value = kind(text)
        except ValueError as error:
            raise self._wrong(name, text) from error
        if name.endswith(("_px", "_hz")) and not 0 <= float(value) < float("inf"):
            raise self._wrong(name, text)
        return value

    def check(self) -> None:
        """Raise CameraError if there is a setting that nobody took."""
        if self._left:
            known = ", ".join(self._known) or "none"
            raise CameraError(
                f"{self._uri} has no setting {next(iter(self._left))!r}.", fix=f"Its settings are: {known}."
            )

    def _wrong(self, name: str, text: str) -> CameraError:
        return CameraError(f"{name}={text} of {self._uri} is not understood.", fix=f"As in {name}=30.")
