"""Simulated devices by address: ``sim://incubator``, ``sim://stage?drop=0.2&seed=7``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from urllib.parse import parse_qsl, urlsplit

from firmware_bridge.error import NoDevice
from firmware_bridge.simulation.device import SimDevice
from firmware_bridge.simulation.fault import FaultPair, Faults
from firmware_bridge.simulation.hardware import World
from firmware_bridge.simulation.incubator import Incubator
from firmware_bridge.simulation.port import SimPort
from firmware_bridge.simulation.stage import Stage

__all__ = ["OPTIONS", "WORLDS", "open_device", "open_sim"]

WORLDS: dict[str, Callable[[Callable[[], float], int, float], World]] = {"incubator": Incubator, "stage": Stage}
"""What can be asked for by name; the first is ``sim://`` alone."""

_FAULTS = tuple(field.name for field in fields(Faults))
OPTIONS = ("seed", "pace", "ppm", "restart_after_s", *_FAULTS)


def open_sim(address: str) -> SimPort:
    """Start a simulated device, in real time, and give its port.

    Parameters
    ----------
    address : str
        ``sim://``, ``sim://incubator`` or ``sim://stage``; behind a ``?`` `seed`, `pace` (seconds of physics a
        second), `ppm` (how fast its clock is), `restart_after_s`, and the faults of both directions, as
        `firmware_bridge.simulation.fault.Faults` has them.

    Raises
    ------
    NoDevice
        If there is no such device or setting.
    """
    return SimPort(address, open_device(address, time.monotonic))


def open_device(address: str, clock: Callable[[], float]) -> SimDevice:
    """Make a simulated device that runs as often as its `step` is called, on the caller's clock.

    Raises
    ------
    NoDevice
        If there is no such device or setting.
    """
    parts = urlsplit(address)
    name = parts.netloc or next(iter(WORLDS))
    if parts.scheme != "sim" or name not in WORLDS or parts.path.strip("/"):
        known = ", ".join(f"sim://{world}" for world in WORLDS)
        raise NoDevice(f"There is no simulated device {address!r}.", fix=f"There is: {known}.")
    options = _options(address, parts.query)
    seed = int(options.pop("seed", 0))
    pace = options.pop("pace", 1.0)
    ppm, restart_after_s = options.pop("ppm", 0.0), options.pop("restart_after_s", 0.0)
    try:
        faults = FaultPair(Faults(**options), seed=seed)
    except ValueError as error:
        raise NoDevice(f"The faults of {address} cannot be: {error}.", fix="As in drop=0.2&double=0.1.") from error
    return SimDevice(WORLDS[name](clock, seed, pace), faults, clock, seed, ppm, restart_after_s)


def _options(address: str, query: str) -> dict[str, float]:
    """Read settings; all are numbers."""
    options = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            raise NoDevice(f"{address} has no setting {name!r}.", fix=f"Its settings are: {', '.join(OPTIONS)}.")
        try:
            options[name] = float(text)
        except ValueError as error:
            raise NoDevice(
                f"{name}={text} of {address} is no number.", fix=f"Give a number, as in {name}=0.2."
            ) from error
        if not 0 <= options[name] < float("inf") and name != "ppm":
            raise NoDevice(f"{name}={text} of {address} is below 0 or endless.", fix="Leave it out for none.")
    return options
