"""What a port gives the server: the microcontroller, and what hangs on it."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


NOW = (0, 0)
"""The age of what is measured as it is read."""


class Sensor:
    """Something to read; ``entry`` is what the dictionary says of it."""

    entry: "dict[str, Any]"

    def read(self) -> "float | None":
        """Give its value, None where it has none; an `OSError` when it does not answer."""
        raise NotImplementedError

    def age(self) -> "tuple[int, int]":
        """Say how many microseconds ago what `read` gave was measured, and how far off that may be either way."""
        return NOW


class Output:
    """Something to set; ``entry`` is what the dictionary says of it."""

    entry: "dict[str, Any]"

    def write(self, value: "Any") -> None:
        """Set it, to a number or a colour; an `OSError` when it does not answer."""
        raise NotImplementedError


class AxisPins:
    """A stepper's driver; ``entry`` has its item of the configuration too: um_per_step, acceleration, home.

    One that is given its pulses by `pulse` waits while a request is answered, which takes a small microcontroller
    milliseconds: enough for a motor to stall that is faster than it could start. One whose pulses are made by hardware
    or by another core says in ``ahead_us`` how early it takes them, by `queue`, and in ``burst`` how many it holds.
    """

    entry: "dict[str, Any]"
    burst = 1
    ahead_us = 0

    def enable(self, on: bool) -> None:
        """Give the motor current, or take it away."""
        raise NotImplementedError

    def pulse(self, direction: int) -> None:
        """Make one step, forward (1) or back (-1)."""
        raise NotImplementedError

    def queue(self, direction: int, wait_us: int) -> None:
        """Make one step so long after the one before; only where ``ahead_us`` is more than 0."""
        raise NotImplementedError

    def at_switch(self) -> bool:
        """Tell whether the axis is at its home switch."""
        raise NotImplementedError


class Parts:
    """What hangs on the microcontroller, by name."""

    def __init__(
        self,
        sensors: "dict[str, Any] | None" = None,
        outputs: "dict[str, Any] | None" = None,
        axes: "dict[str, Any] | None" = None,
    ) -> None:
        self.sensors = sensors or {}
        self.outputs = outputs or {}
        self.axes = axes or {}

    def close(self) -> None:
        """Let go of pins and buses."""
        for parts in (self.sensors, self.outputs, self.axes):
            for part in parts.values():
                if hasattr(part, "close"):
                    part.close()


class Hardware:
    """The microcontroller itself."""

    board = ""
    unique = b""
    buffer_bytes = 1024
    """The longest packet that is read, and that is sent."""
    readings = 512
    """How many the ring holds."""

    def check(self, config: "dict[str, Any]") -> None:
        """Check a configuration, without taking any of it; `ConfigError` says what is wrong."""
        raise NotImplementedError

    def build(self, config: "dict[str, Any]") -> Parts:
        """Make what a configuration that was checked says; an empty one has nothing.

        Raises
        ------
        ConfigError, OSError
            When it cannot be: a sensor does not answer. All that was made until then is let go of.
        """
        raise NotImplementedError

    def watch_for(self, ms: int) -> None:
        """Start the watchdog, or leave one that runs as it is."""

    def feed(self) -> None:
        """Feed the watchdog, and do what else is due, for a millisecond or two at most: it comes as often as `poll`."""

    def restart(self) -> None:
        """Start the microcontroller anew."""
        raise NotImplementedError
