"""Reads a file of rules strictly: whatever it does not know is told, all at once, with the line."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from boards.file import read_file
from edge_sdk.errors import RuleError, TriggerError
from edge_sdk.sensors.journal import LEAST_MB
from edge_sdk.sensors.rule import Ask, Move, Rule, Rules, Set, When
from edge_sdk.sensors.trigger import MAX_AGE_S, Limits

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Problems", "read_rules"]

_NAME = re.compile(r"[\w-]{1,40}")
_LONGEST_S = 3600.0  # of an output's lease: the protocol's own limit
_AGES_S = (0.5, 3600.0)  # of a reading that is gone by
_MOST_BYTES = 1 << 20
_SHOWN = 60
_LIMITS = ("above", "below", "rearm_above", "rearm_below")


class Problems:
    """Collects what is wrong with a file of rules, by place.

    Parameters
    ----------
    path : str
        The file.
    text : str
        What it holds.
    """

    def __init__(self, path: str, text: str) -> None:
        self.text = text
        self._path, self._lines = path, [_bare(line) for line in text.splitlines()]
        self._found: list[tuple[int, str]] = []

    def add(self, place: str, what: str) -> None:
        """Note what is wrong at a place, such as ``rule.warm.when.above``."""
        line = self._line(place.split("."))
        told = f"line {line}, {place}: {what}" if place else what
        if (line, told) not in self._found:
            self._found.append((line, told))

    def check(self) -> None:
        """Raise RuleError with all that was found, if anything was."""
        if not self._found:
            return
        told = [text for _, text in sorted(self._found)]
        count = "A thing is" if len(told) == 1 else f"{len(told)} things are"
        raise RuleError(
            f"{count} wrong in {self._path}:\n  " + "\n  ".join(told),
            fix="docs/reference/rules.md has every key. Names: edge bridge dictionary, or the file of the pins.",
        )

    def _line(self, place: list[str]) -> int:
        """Give the number of the line that most likely says it; tomllib does not tell."""
        at = 0
        if place[0] == "rule" and len(place) > 1:
            header = re.compile(rf"\s*\[\s*rule\s*\.\s*[\"']?{re.escape(place[1])}[\"']?\s*[\].]")
            at = next((number for number, line in enumerate(self._lines) if header.match(line)), 0)
            place = place[2:]
        for part in place:
            word = re.compile(rf"(?<![\w-]){re.escape(part)}(?![\w-])")
            at = next((at + ahead for ahead, line in enumerate(self._lines[at:]) if word.search(line)), at)
        return at + 1


class _Table:
    """A table of the file, from which each key is taken once; what is left over at the end is not known."""

    def __init__(self, problems: Problems, place: str, content: Mapping[str, Any]) -> None:
        self._problems, self.place, self._left = problems, place, dict(content)
        self._known: list[str] = []

    def at(self, key: str) -> str:
        return ".".join(filter(None, (self.place, key)))

    def wrong(self, key: str, what: str) -> None:
        self._problems.add(self.at(key), what)

    def take(self, key: str) -> Any:
        self._known.append(key)
        return self._left.pop(key, None)

    def text(self, key: str, default: str = "") -> str:
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, f"a text is expected, not {_shown(value)}")
            return default
        return value

    def number(self, key: str, least: float = -math.inf, most: float = math.inf) -> float | None:
        value = self.take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
            self.wrong(key, f"a number is expected, not {_shown(value)}")
        elif not least <= value <= most:
            span = f"{least:g} to {most:g}" if math.isfinite(most) else f"at least {least:g}"
            self.wrong(key, f"{value:g} is out of its range, {span}")
        else:
            return float(value)
        return None

    def names(self, key: str) -> tuple[str, ...]:
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
            self.wrong(key, f'a list of names is expected, as in ["temperature"], not {_shown(value)}')
            return ()
        return tuple(dict.fromkeys(value))

    def table(self, key: str) -> _Table | None:
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.wrong(key, f"a table is expected, not {_shown(value)}")
            return None
        return _Table(self._problems, self.at(key), value)

    def items(self) -> list[tuple[str, Any]]:
        left, self._left = list(self._left.items()), {}
        return left

    def end(self) -> None:
        for key in self._left:
            self.wrong(key, f"this key is not known; here can be: {', '.join(self._known)}")


def read_rules(path: str | Path) -> Rules:
    """Read a file of rules.

    Raises
    ------
    RuleError
        If it cannot be read, or anything in it is wrong: all of it is told, each with its line.
    """
    data = read_file(path, _MOST_BYTES, RuleError, fix="Name a file such as rules.toml.")
    try:
        text = data.decode("utf-8-sig")  # some editors put a mark of the byte order in front
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are such
        raise RuleError(
            f"{path} is no TOML: {error}.", fix="docs/reference/rules.md shows how a file of rules looks."
        ) from error
    problems = Problems(str(path), text)
    rules = _rules(str(path), _Table(problems, "", content), problems)
    problems.check()
    return rules


def _rules(path: str, table: _Table, problems: Problems) -> Rules:
    title, pins, sim = table.text("title"), table.text("pins"), table.text("sim", "sim://")
    bridge = table.text("bridge", "" if pins else "auto")
    pins = str(Path(path).parent / pins) if pins else ""
    if not sim.startswith("sim://"):
        table.wrong("sim", f"{sim!r} is no simulated device; it begins with sim://")
    camera, bundle = table.text("camera"), table.text("bundle", "smear")
    every_s = table.number("readings_every_s", 0.1, 86400)
    allow = table.table("allow") or _Table(problems, "allow", {})
    outputs, axes = allow.names("outputs"), allow.names("axes")
    allow.end()
    log = table.table("log") or _Table(problems, "log", {})
    file, most_mb = log.text("file"), log.number("most_mb", LEAST_MB)
    log.end()
    named = table.table("rule") or _Table(problems, "rule", {})
    rules = []
    written = named.items()
    if not written:
        problems.add("rule", "there is no rule: write [rule.NAME]")
    for name, content in written:
        if not _NAME.fullmatch(name) or not isinstance(content, dict):
            problems.add("rule", f"{name!r} is no rule: write [rule.NAME], of letters, digits, - and _")
        else:
            rules.append(_rule(name, _Table(problems, f"rule.{name}", content), content))
    table.end()
    return Rules(
        path, title, bridge, pins, sim, camera, bundle, every_s or 1.0, outputs, axes, file, most_mb or 64.0,
        tuple(rules), problems.text,
    )  # fmt: skip


def _rule(name: str, table: _Table, keys: Collection[str]) -> Rule:
    when, every_s = _when(table.table("when")), table.number("every_s", 0.1, 7 * 86400)
    sets, move, ask, say = _sets(table.table("set")), _move(table), _ask(table.table("ask")), table.text("say")
    table.end()
    if not {"when", "every_s"} & set(keys):
        table.wrong("", "it does not say when: add when = {...} or every_s = ...")
    if not {"set", "move", "home", "ask", "say"} & set(keys):
        table.wrong("", "it does not say what happens: add set, move, home, ask or say")
    return Rule(name, when, every_s, sets, move, ask, say)


def _when(table: _Table | None) -> When | None:
    if table is None:
        return None
    sensor = table.text("sensor")
    numbers = {key: table.number(key) for key in _LIMITS}
    for_s, max_age_s = table.number("for_s", 0, 86400), table.number("max_age_s", *_AGES_S)
    table.end()
    if not sensor:
        table.wrong("sensor", "the sensor's name is missing")
    try:
        return When(sensor, Limits(**numbers, for_s=for_s or 0.0), max_age_s or MAX_AGE_S)
    except TriggerError as error:
        table.wrong("", " ".join(filter(None, (error.what, error.why, error.fix))))
        return None


def _sets(table: _Table | None) -> tuple[Set, ...]:
    if table is None:
        return ()
    sets, written = [], table.items()
    for output, told in written:
        inner = _Table(table._problems, table.at(output), told if isinstance(told, dict) else {"value": told})
        value, for_s = inner.take("value"), inner.number("for_s", 0.001, _LONGEST_S)
        inner.end()
        if isinstance(value, list) and all(type(part) is int and _is_finite(part) for part in value):
            sets.append(Set(output, tuple(value), for_s))
        elif isinstance(value, (bool, int, float)) and _is_finite(value):
            sets.append(Set(output, value if isinstance(value, float) else int(value), for_s))
        else:
            inner.wrong("value", f"a number or [red, green, blue] is expected, not {_shown(value)}")
    if not written:
        table.wrong("", "it names no output")
    return tuple(sets)


def _move(table: _Table) -> Move | None:
    home, inner = table.text("home"), table.table("move")
    if inner is None:
        return Move(home, "home", 0.0) if home else None
    axis, by_um, to_um = inner.text("axis"), inner.number("by_um"), inner.number("to_um")
    inner.end()
    if home:
        table.wrong("home", "a rule has either home or move; make two rules of it")
    if not axis:
        inner.wrong("axis", "the axis's name is missing")
    if (by_um is None) == (to_um is None):
        inner.wrong("", "say either by_um or to_um")
    return Move(axis, "to" if by_um is None else "by", by_um if by_um is not None else to_um or 0.0)


def _ask(table: _Table | None) -> Ask | None:
    if table is None:
        return None
    prompt, sensors, frame = table.text("prompt"), table.names("sensors"), table.take("frame")
    most, max_age_s = table.number("max_tokens", 1, 100_000), table.number("max_age_s", *_AGES_S)
    table.end()
    if not prompt:
        table.wrong("prompt", "the question is missing")
    if frame is not None and not isinstance(frame, bool):  # 0 is in (True, False), too
        table.wrong("frame", f"true or false is expected, not {_shown(frame)}")
    return Ask(prompt, sensors, frame is not False, None if most is None else int(most), max_age_s or MAX_AGE_S)


def _shown(value: object) -> str:
    """Give what was written, in short."""
    try:
        text = repr(value)
    except ValueError:  # Python writes out no integer of thousands of digits
        text = "a number without end"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # TOML's integers may have any number of digits
        return False


def _bare(line: str) -> str:
    """Give a line without its comment, roughly: a # within a text ends it too."""
    return line.partition("#")[0]
