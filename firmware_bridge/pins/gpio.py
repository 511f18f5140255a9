"""GPIO lines, PWM and SPI by python-periphery, the one file that imports it.

It takes lines through the kernel's character device, version 2 or 1, so that one code serves kernels 4.9 to 6.x.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Mapping
from typing import Any

from boards.errors import EdgeError
from firmware_bridge.error import BridgeError, NoDevice, PortBusy
from firmware_bridge.firmware.hardware import Output, Sensor
from firmware_bridge.pins.place import Place, in_use

__all__ = ["IdleOutput", "Line", "OutputLine", "OutputPwm", "Spi"]

_PULLS = {-1: "pull_down", 0: "disable", 1: "pull_up"}
_PWM_HZ = 1000
_CHIPS: dict[str, int] = {}  # the folders of PWM chips that this process has, and what holds them


def _periphery() -> Any:
    try:
        import periphery
    except ImportError as error:
        raise EdgeError(
            "python-periphery is not installed.",
            why="The board's GPIO, PWM and SPI go through it.",
            fix="pip install python-periphery (or edge-sdk[pins])",
        ) from error
    return periphery


def _claimed(name: str, place: Place, direction: str, **settings: str) -> Any:
    """Claim a line, an output at its level from the first moment on."""
    periphery = _periphery()
    try:
        return periphery.CdevGPIO(place.node, place.line, direction, label=f"edge {name}"[:31], **settings)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise in_use(name, place) from error
        raise BridgeError(
            f"{name} cannot be had at {place}: {error.strerror or error}.",
            why="Its chip may have no pulls or no edges, or the kernel uses the line for something else.",
            fix="gpioinfo lists what lines are used for; leave out pull and edges, or take another line.",
        ) from error


class Line(Sensor):
    """A digital input."""

    def __init__(self, name: str, item: Mapping[str, Any], place: Place) -> None:
        settings = {"bias": _PULLS[item["pull"]]} if "pull" in item else {}
        self.has_edges = bool(item.get("edges", False))
        if self.has_edges:
            settings["edge"] = "both"
        self._inverts = bool(item.get("invert", False))
        self._closed = False
        self._line = _claimed(name, place, "in", **settings)
        self.entry = {"unit": "", "least": 0, "most": 1, "period_us": item.get("period_us", 1000)}

    def read(self) -> int:
        """Give its level, 1 or 0."""
        return int(self._line.read() != self._inverts)

    def edge(self, timeout_s: float) -> tuple[int, int] | None:
        """Wait for its next edge: the level after it, and the kernel's clock in nanoseconds; None without one."""
        try:
            if not self._line.poll(timeout_s):
                return None
            event = self._line.read_event()
        except (OSError, TypeError):
            if self._closed:  # by another thread, meanwhile
                return None
            raise
        return int((event.edge == "rising") != self._inverts), event.timestamp

    def close(self) -> None:
        """Let go of the line."""
        self._closed = True
        self._line.close()


class OutputLine(Output):
    """A digital output, at its safe value from when it is claimed until it is let go."""

    def __init__(self, name: str, item: Mapping[str, Any], place: Place) -> None:
        self._inverts = bool(item.get("invert", False))
        self._safe = item.get("safe", 0)
        self._closed = False
        self._line = _claimed(name, place, "high" if bool(self._safe) != self._inverts else "low")
        self.entry = _output_entry(item, "digital")

    def write(self, value: Any) -> None:
        """Set its level."""
        if not self._closed:
            self._line.write(bool(value) != self._inverts)

    def close(self) -> None:
        """Set it to its safe value, and let go of the line; what becomes of it then, its chip decides."""
        try:
            self.write(self._safe)
        finally:
            self._closed = True
            self._line.close()


class IdleOutput(Output):
    """An output of a dry run: its pin is not touched."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self.entry = _output_entry(item, item["kind"])

    def write(self, value: Any) -> None:
        """Take no notice."""


class OutputPwm(Output):
    """A PWM channel of the kernel's, in shares of one."""

    def __init__(self, name: str, item: Mapping[str, Any]) -> None:
        self._safe = item.get("safe", 0)
        self._closed = False
        chip, channel = item["chip"], item["channel"]
        periphery = _periphery()
        _have_chip(name, f"/sys/class/pwm/pwmchip{chip}")
        try:
            self._pwm = periphery.PWM(chip, channel)
            with contextlib.suppress(OSError):  # what it was left at may be longer than the new period
                self._pwm.duty_cycle_ns = 0
            self._pwm.period_ns = round(1e9 / item.get("hz", _PWM_HZ))
            if item.get("invert", False):
                self._pwm.polarity = "inversed"
            self.write(self._safe)
            self._pwm.enable()
        except (OSError, LookupError) as error:
            raise BridgeError(
                f"{name} cannot be had at channel {channel} of pwmchip{chip}: {error}.",
                fix="ls /sys/class/pwm/*/npwm shows what there is; a PWM of the header is switched on in config.txt.",
            ) from error
        self.entry = _output_entry(item, "pwm")

    def write(self, value: Any) -> None:
        """Set the share of time that it is on."""
        if not self._closed:
            self._pwm.duty_cycle_ns = round(float(value) * self._pwm.period_ns)

    def close(self) -> None:
        """Set it to its safe value, and let go of it."""
        try:
            self.write(self._safe)
            if not self._safe:
                self._pwm.disable()
        finally:
            self._closed = True
            self._pwm.close()


class Spi:
    """An SPI device: bytes out and in at once."""

    def __init__(self, name: str, item: Mapping[str, Any]) -> None:
        device = item["device"]
        try:
            self._spi = _periphery().SPI(device, item.get("mode", 0), item.get("hz", 1_000_000))
        except OSError as error:
            raise BridgeError(
                f"The bus {name} cannot be had at {device}: {error.strerror or error}.",
                fix="Switch SPI on (on a Raspberry Pi: dtparam=spi=on in config.txt), and be in the group spi.",
            ) from error

    def transfer(self, data: bytes) -> bytes:
        """Send bytes, and give as many that came meanwhile; an `OSError` when the bus fails."""
        return bytes(self._spi.transfer(data))

    def close(self) -> None:
        """Let go of it."""
        self._spi.close()


def _output_entry(item: Mapping[str, Any], kind: str) -> dict[str, Any]:
    entry = {"unit": "", "kind": kind, "safe": item.get("safe", 0), "lease_ms": item["lease_ms"]}
    return {**entry, "least": item.get("least", 0), "most": item.get("most", 1)}


def _have_chip(name: str, folder: str) -> None:
    """Have a PWM chip for this process alone, to its end: the kernel itself would let two processes set one channel."""
    if folder in _CHIPS:
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NoDevice(
            f"There is no {folder}, on which {name} is to hang.",
            fix="Switch it on (on a Raspberry Pi: dtoverlay=pwm in config.txt); ls /sys/class/pwm shows what there is.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise PortBusy(
            f"{name} cannot be had: another process uses {folder}.", fix="Close that program, then try again."
        ) from error
    _CHIPS[folder] = descriptor
