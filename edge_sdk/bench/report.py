"""What a benchmark found, and its file: written as JSON, and read with nothing taken on trust."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from boards.file import read_file
from edge_sdk.bench.measure import UNITS, Measure
from edge_sdk.errors import BenchError, StorageError

__all__ = ["FORMAT", "Condition", "Report", "Subject", "check_place", "read_report", "write_report"]

FORMAT = 1
_FIX = "Name a file that edge bench BUNDLE --json FILE wrote."
_MOST_BYTES, _MOST_MEASURES, _MOST_LETTERS, _MOST_NOTES = 1 << 20, 200, 300, 50
_NAME = re.compile(r"[a-z0-9_]{1,40}(@.{1,200})?")  # of a plain model's run the rest is its signature's name


@dataclass(frozen=True, slots=True)
class Subject:
    """What was measured on what: two reports compare where all of this is the same.

    Attributes
    ----------
    bundle, sha256 : str
        Its name, and its content's digest.
    board, processor : str
        The profile's id, and what the processor calls itself.
    engine : str
        Which was asked for.
    threads : int
        Of the engine.
    budget : str
        What of memory might be taken; empty without one.
    camera : str
        Where frames came from; empty for none.
    """

    bundle: str
    sha256: str
    board: str
    processor: str
    engine: str
    threads: int
    budget: str
    camera: str


@dataclass(frozen=True, slots=True)
class Condition:
    """How the machine was at one moment; what it does not tell is None.

    Attributes
    ----------
    temperature_c : float or None
        Of the hottest zone.
    throttled : bool or None
        Whether anything slowed it down.
    causes : tuple of str
        What did.
    load : float or None
        Tasks that ran or wanted to, over the last minute.
    """

    temperature_c: float | None = None
    throttled: bool | None = None
    causes: tuple[str, ...] = ()
    load: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All of it; what was not reached yet is not in it.

    Attributes
    ----------
    version : str
        Of the SDK.
    short : bool
        Little was done of everything: good to see that it runs, too little to tell speeds.
    measures, limits : tuple of Measure
        What the bundle does, and what the machine could do at most.
    before, after : Condition
        How the machine was.
    notes : tuple of str
        What was not measured, and why; what to know about what was.
    """

    version: str
    subject: Subject
    short: bool
    measures: tuple[Measure, ...]
    limits: tuple[Measure, ...]
    before: Condition
    after: Condition
    notes: tuple[str, ...] = ()

    def measure(self, name: str) -> Measure | None:
        """Give a measure, or a limit, by its name; None where it is not there."""
        return next((each for each in (*self.measures, *self.limits) if each.name == name), None)

    def as_json(self) -> dict[str, object]:
        """Give all of it as what JSON knows."""
        return {"format": FORMAT, **asdict(self)}


def check_place(path: str | os.PathLike[str]) -> None:
    """See that a report can be written there, before minutes of measuring are spent on it.

    Raises
    ------
    StorageError
        It cannot.
    """
    folder = Path(path).absolute().parent
    if Path(path).is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        why = f"{folder} is no folder that may be written to." if not Path(path).is_dir() else "It is a folder."
        raise StorageError(f"{path} cannot be written.", why=why, fix="Name another place.")


def write_report(report: Report, path: str | os.PathLike[str]) -> None:
    """Write a report, in one step or not at all.

    Raises
    ------
    StorageError
        It cannot be written; nothing is left behind.
    """
    target = Path(path)
    part = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        part.write_text(json.dumps(report.as_json(), indent=1) + "\n")
        part.replace(target)
    except OSError as error:
        raise StorageError(
            f"{target} was not written.", why=f"{error.strerror}.", fix="Name a place that can be written to."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def read_report(path: str | os.PathLike[str]) -> Report:
    """Read a report that `write_report`, or anybody, wrote.

    Raises
    ------
    BenchError
        It is no report, or one of a format that is not known here.
    """
    content = read_file(os.fspath(path), _MOST_BYTES, BenchError, fix=_FIX)
    try:
        data = _fields(json.loads(content, parse_constant=_refuse), ("format", *_names(Report)))
        if data["format"] != FORMAT:
            raise BenchError(
                f"{path} is a report of another version.",
                why=f"It is written in format {data['format']!r:.20}; {FORMAT} is known here.",
                fix="Measure again with this version of the SDK: edge bench BUNDLE --json FILE",
            )
        return _report(data)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, BenchError):
            raise
        raise BenchError(
            f"{path} is no report of edge bench.",
            why=f"{error}." if isinstance(error, ValueError) else "It is not laid out as one.",
            fix=_FIX,
        ) from error


def _report(data: Mapping[str, Any]) -> Report:
    return Report(
        version=_text(data["version"]),
        subject=_subject(_fields(data["subject"], _names(Subject))),
        short=_flag(data["short"]),
        measures=_measures(data["measures"]),
        limits=_measures(data["limits"]),
        before=_condition(data["before"]),
        after=_condition(data["after"]),
        notes=tuple(map(_text, _list(data["notes"], _MOST_NOTES))),
    )


def _subject(data: Mapping[str, Any]) -> Subject:
    texts = {name: _text(data[name]) for name in _names(Subject) if name != "threads"}
    return Subject(threads=int(_number(data["threads"])), **texts)


def _condition(value: object) -> Condition:
    data = _fields(value, _names(Condition))
    numbers = {name: None if data[name] is None else _number(data[name]) for name in ("temperature_c", "load")}
    throttled = None if data["throttled"] is None else _flag(data["throttled"])
    return Condition(throttled=throttled, causes=tuple(map(_text, _list(data["causes"], 10))), **numbers)


def _measures(value: object) -> tuple[Measure, ...]:
    found = tuple(map(_measure, _list(value, _MOST_MEASURES)))
    if len({each.name for each in found}) < len(found):
        raise ValueError("a measure is in it twice")
    return found


def _measure(value: object) -> Measure:
    data = _fields(value, _names(Measure))
    name, unit, turns = data["name"], data["unit"], data["turns"]
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not name.isprintable() or unit not in UNITS:
        raise ValueError(f"a measure is called {name!r:.60} and told in {unit!r:.20}")
    if not isinstance(turns, int) or isinstance(turns, bool) or not 1 <= turns <= 10_000:
        raise ValueError(f"{name} was measured {turns!r:.20} times")
    median, least, most = (_number(data[key]) for key in ("median", "least", "most"))
    if not 0 < least <= median <= most:
        raise ValueError(f"{name} is {least}, {median}, {most} at the least, median and most")
    return Measure(name, unit, median, least, most, turns, None if data["share"] is None else _number(data["share"]))


def _names(kind: type[Report] | type[Subject] | type[Condition] | type[Measure]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def _fields(value: object, names: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or (names[0] == "format" and "format" not in value):
        raise TypeError
    if names[0] == "format" and value["format"] != FORMAT:
        return value  # of a version that may know other fields
    if set(value) != set(names):
        odd = sorted(set(value) ^ set(names))[0]
        raise ValueError(f"the field {odd!r:.60} is {'not known' if odd in value else 'missing'}")
    return value


def _list(value: object, most: int) -> list[object]:
    if not isinstance(value, list) or len(value) > most:
        raise TypeError
    return value


def _text(value: object) -> str:
    # Shown on a terminal, so nothing in it may steer one.
    if not isinstance(value, str) or len(value) > _MOST_LETTERS or not value.isprintable():
        raise ValueError(f"{value!r:.60} is no text for people")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r:.60} is no number")
    return float(value)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")
