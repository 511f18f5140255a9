"""Checks of what slows the board down."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from boards import EdgeError
from boards.telemetry import Cause, Reading, Sign, Telemetry, ask_firmware
from edge_sdk.doctor.finding import Finding, failure, nothing, ok, warning
from edge_sdk.doctor.surroundings import Surroundings

__all__ = ["throttle_boot", "throttle_now"]

_WORDS: dict[Cause, str] = {
    "under-voltage": "its supply's voltage is too low",
    "heat": "it is too hot",
    "current": "it draws too much current",
    "unknown": "it does not say why",
}
_FIXES: dict[Cause, str] = {
    "under-voltage": "Use the maker's own supply and a short, thick cable, and give USB devices a hub with a supply.",
    "heat": "Give it air: a fan, a heat sink, shade, no closed case. edge watch shows the temperature.",
    "current": "Use a stronger supply, or a lower power mode (sudo nvpmodel -q shows it).",
    "unknown": "edge watch shows temperatures and clocks; compare the supply with what the maker asks for.",
}


def throttle_now(here: Surroundings) -> Iterator[Finding]:
    """Tell what slows the board down at this moment."""
    reading, signs = _read(here)
    causes = dict.fromkeys(sign.cause for sign in signs if sign.now)
    for cause in causes:
        details = "; ".join(
            dict.fromkeys(sign.detail for sign in signs if sign.now and sign.cause == cause and sign.detail)
        )
        told = failure if cause == "under-voltage" else warning
        yield told(f"The board is slowed down: {_WORDS[cause]}{f' ({details})' if details else ''}.", _FIXES[cause])
    hottest = reading.hottest
    warm = f"The hottest place, {hottest.kind}, has {hottest.temperature_c:.0f} °C." if hottest else ""
    limits = [trip for trip in hottest.crossed if trip.kind in ("passive", "hot", "critical")] if hottest else []
    if limits and "heat" not in causes:
        yield warning(f"{warm} From {limits[-1].temperature_c:.0f} °C on it is slowed down.", _FIXES["heat"])
    elif not causes and any(sign.now is not None for sign in signs):
        yield ok(f"Nothing slows it down. {warm}".strip())
    elif not causes:
        yield nothing(f"This machine does not tell whether it is slowed down. {warm}".strip())


def throttle_boot(here: Surroundings) -> Iterator[Finding]:
    """Tell what slowed the board down since it was started."""
    _, signs = _read(here)
    causes = dict.fromkeys(sign.cause for sign in signs if sign.since_boot)
    for cause in causes:
        yield warning(f"The board was slowed down since its start: {_WORDS[cause]}.", _FIXES[cause])
    if not causes and any(sign.since_boot is not None for sign in signs):
        yield ok("Nothing has slowed it down since its start.")
    elif not causes:
        yield nothing("This machine does not keep what slowed it down.")


def _read(here: Surroundings) -> tuple[Reading, tuple[Sign, ...]]:
    with Telemetry(here.root) as telemetry:
        reading = telemetry.read()
    signs = reading.throttling
    # The firmware also knows of the time since the boot where the kernel's file does not.
    if str(here.root) == "/" and all(sign.since_boot is None for sign in signs):
        with contextlib.suppress(EdgeError):  # no Raspberry Pi, or without its program
            signs += ask_firmware(here.root)
    return reading, signs
