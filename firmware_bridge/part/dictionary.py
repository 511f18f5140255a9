"""What a microcontroller offers: its sensors, outputs and axes, fetched once and kept by their hash."""

from __future__ import annotations

import contextlib
import json
import math
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from firmware_bridge.error import BridgeError, UnknownName
from firmware_bridge.part.digest import sha256

__all__ = ["AxisEntry", "Dictionary", "OutputEntry", "SensorEntry", "cache_folder", "fetch", "read_dictionary"]

_FILES = 32
_MOST_BYTES = 256 * 1024


Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class SensorEntry:
    """A sensor: its unit and range, how often it is sampled by itself, and how far off it may be; None where unsaid."""

    name: str
    unit: str
    least: float | None
    most: float | None
    period_s: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class OutputEntry:
    """An output: its unit and range, its safe value, its longest lease, and its kind.

    Attributes
    ----------
    kind : str
        ``digital``, ``pwm``, ``analog`` or ``colour``.
    safe : float or list of int
        What it goes back to.
    """

    name: str
    unit: str
    least: float | None
    most: float | None
    safe: float | list[int]
    lease_s: float
    kind: str


@dataclass(frozen=True, slots=True)
class AxisEntry:
    """An axis: its ends, its smallest step and backlash, its speed, and whether it can find its home."""

    name: str
    least_um: float | None
    most_um: float | None
    step_um: float | None
    speed_um_per_s: float | None
    homes: bool
    backlash_um: float


@dataclass(frozen=True, slots=True)
class Dictionary:
    """What a microcontroller offers, by name.

    Attributes
    ----------
    longest_lease_s : float
        The longest lease of all.
    """

    sensors: Mapping[str, SensorEntry]
    outputs: Mapping[str, OutputEntry]
    axes: Mapping[str, AxisEntry]
    longest_lease_s: float

    def sensor(self, name: str) -> SensorEntry:
        """Give a sensor's entry; raises UnknownName."""
        return _named("sensor", name, self.sensors)

    def output(self, name: str) -> OutputEntry:
        """Give an output's entry; raises UnknownName."""
        return _named("output", name, self.outputs)

    def axis(self, name: str) -> AxisEntry:
        """Give an axis's entry; raises UnknownName."""
        return _named("axis", name, self.axes)


def _named(kind: str, name: str, entries: Mapping[str, Entry]) -> Entry:
    if name not in entries:
        there = f"It has {', '.join(sorted(entries))}." if entries else f"It has no {kind} at all."
        raise UnknownName(
            f"The microcontroller has no {kind} {name!r}.",
            why=there,
            fix="edge bridge dictionary lists all; what hangs on which pin, its configuration says.",
        )
    return entries[name]


def read_dictionary(text: bytes) -> Dictionary:
    """Read the dictionary's JSON; what a newer firmware says besides is passed over.

    Raises
    ------
    BridgeError
        If it is none.
    """
    try:
        told = json.loads(text)
        if told["v"] != 1:
            raise ValueError(f"version {told['v']}")
        return Dictionary(
            {name: _sensor(name, entry) for name, entry in told.get("sensors", {}).items()},
            {name: _output(name, entry) for name, entry in told.get("outputs", {}).items()},
            {name: _axis(name, entry) for name, entry in told.get("axes", {}).items()},
            _given(told, "lease_ms") / 1000,
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise BridgeError(
            "The microcontroller's dictionary cannot be understood.",
            why=f"{type(error).__name__}: {error}",
            fix="edge bridge flash puts this version's firmware on it.",
        ) from error


def _number(entry: Mapping[str, Any], key: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{key} is {value!r}")
    return value


def _given(entry: Mapping[str, Any], key: str) -> float:
    value = _number(entry, key)
    if value is None:
        raise KeyError(key)
    return value


def _sensor(name: str, entry: Mapping[str, Any]) -> SensorEntry:
    period_us = _number(entry, "period_us")
    period_s = None if period_us is None else period_us / 1e6
    least, most, accuracy = (_number(entry, key) for key in ("least", "most", "accuracy"))
    return SensorEntry(name, str(entry.get("unit", "")), least, most, period_s, accuracy)


def _output(name: str, entry: Mapping[str, Any]) -> OutputEntry:
    unit, kind, colour = str(entry.get("unit", "")), str(entry["kind"]), entry["safe"]
    if isinstance(colour, list) and not (len(colour) == 3 and all(type(part) is int for part in colour)):
        raise ValueError(f"safe is {colour!r}")
    safe = colour if isinstance(colour, list) else _given(entry, "safe")
    least, most, lease_s = _number(entry, "least"), _number(entry, "most"), _given(entry, "lease_ms") / 1000
    return OutputEntry(name, unit, least, most, safe, lease_s, kind)


def _axis(name: str, entry: Mapping[str, Any]) -> AxisEntry:
    least, most, step, speed = (_number(entry, key) for key in ("least", "most", "step", "speed"))
    backlash_um = _number(entry, "backlash") or 0.0
    return AxisEntry(name, least, most, step, speed, bool(entry.get("homes", False)), backlash_um)


def cache_folder() -> Path:
    """Give the folder where dictionaries are kept.

    Source: XDG Base Directory Specification 0.8, XDG_CACHE_HOME.
    """
    told = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(told) if told.startswith("/") else Path.home() / ".cache") / "edge/dictionary"


def fetch(
    digest: bytes, piece: Callable[[int], Mapping[str, Any]], folder: Callable[[], Path] = cache_folder
) -> Dictionary:
    """Read a dictionary by its hash, from the user's cache or in pieces from the microcontroller.

    Parameters
    ----------
    digest : bytes
        SHA-256 of its JSON.
    piece : function
        Asks for the piece at an offset.
    folder : function
        Gives where dictionaries are kept.

    Raises
    ------
    BridgeError
        If what comes is not what was announced.
    """
    path = None
    with contextlib.suppress(OSError, RuntimeError):  # no home: it is fetched every time
        path = folder() / f"{digest.hex()}.json"
        text = path.read_bytes()
        if sha256(text).digest() == digest:
            return read_dictionary(text)
    text = _inflated(_fetched(piece))
    if sha256(text).digest() != digest:
        raise _damaged("its hash is not the one that hello told")
    if path is not None:
        with contextlib.suppress(OSError):
            _keep(path, text)
    return read_dictionary(text)


def _fetched(piece: Callable[[int], Mapping[str, Any]]) -> bytes:
    data, whole = b"", None
    while whole is None or len(data) < whole:
        answer = piece(len(data))
        told, more = answer.get("len", whole), answer.get("data")
        if not isinstance(more, bytes) or not more or not isinstance(told, int) or not 0 < told <= _MOST_BYTES:
            raise _damaged("a piece is missing")
        if answer.get("off") != len(data):
            raise _damaged("a piece is not the one that was asked for")
        whole = told
        data += more
    return data


def _inflated(data: bytes) -> bytes:
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        text = unpack.decompress(data, _MOST_BYTES)
    except zlib.error as error:
        raise _damaged(str(error)) from error
    if not unpack.eof:
        raise _damaged("it has no end")
    return text


def _damaged(why: str) -> BridgeError:
    return BridgeError(
        "The microcontroller's dictionary came damaged.",
        why=f"In what came, {why}." if " " in why else why,
        fix="Try again; if it stays so, edge bridge flash puts the firmware on it anew.",
    )


def _keep(path: Path, text: bytes) -> None:
    """Write a file whole or not at all; the oldest go."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(text)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    kept = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)
    for old in kept[:-_FILES]:
        old.unlink()
