"""Holds rules against what there is to read and set, and what the file allows, before anything is started."""

from __future__ import annotations

from collections.abc import Mapping

from edge_sdk.sensors.rule import Move, Rules, Set, When
from edge_sdk.sensors.rule_file import Problems
from firmware_bridge.part.dictionary import AxisEntry, Dictionary, OutputEntry

__all__ = ["check_rules"]


def check_rules(rules: Rules, dictionary: Dictionary) -> None:
    """Check every name and value of a file of rules.

    Raises
    ------
    RuleError
        With all that is wrong, each with its line.
    """
    problems = Problems(rules.path, rules.text)
    for kind, names, there in (
        ("outputs", rules.outputs, dictionary.outputs),
        ("axes", rules.axes, dictionary.axes),
    ):
        for name in names:
            _known(problems, f"allow.{kind}", kind[:-1] if kind == "outputs" else "axis", name, there)
    for rule in rules.rules:
        place = f"rule.{rule.name}"
        if rule.when and _known(problems, f"{place}.when.sensor", "sensor", rule.when.sensor, dictionary.sensors):
            _check_limits(problems, f"{place}.when", rule.when, dictionary)
        for sensor in rule.ask.sensors if rule.ask else ():
            _known(problems, f"{place}.ask.sensors", "sensor", sensor, dictionary.sensors)
        for each in rule.sets:
            if _known(problems, f"{place}.set.{each.output}", "output", each.output, dictionary.outputs):
                _allowed(problems, f"{place}.set.{each.output}", "outputs", each.output, rules.outputs)
                _check_value(problems, f"{place}.set.{each.output}", each, dictionary.outputs[each.output])
        if rule.move:
            key = "home" if rule.move.how == "home" else "move"
            if _known(problems, f"{place}.{key}", "axis", rule.move.axis, dictionary.axes):
                _allowed(problems, f"{place}.{key}", "axes", rule.move.axis, rules.axes)
                _check_way(problems, f"{place}.{key}", rule.move, dictionary.axes[rule.move.axis])
    problems.check()


def _known(problems: Problems, place: str, kind: str, name: str, there: Mapping[str, object]) -> bool:
    if name not in there:
        listed = f"there is {', '.join(sorted(there))}" if there else "there is none at all"
        problems.add(place, f"there is no {kind} {name!r}: {listed}")
    return name in there


def _allowed(problems: Problems, place: str, kind: str, name: str, allowed: tuple[str, ...]) -> None:
    if name not in allowed:
        names = ", ".join(f'"{each}"' for each in (*allowed, name))
        problems.add(place, f"{name} is not allowed to act: say {kind} = [{names}] under [allow]")


def _check_limits(problems: Problems, place: str, when: When, dictionary: Dictionary) -> None:
    """Refuse limits that the sensor can never pass."""
    entry, limits = dictionary.sensors[when.sensor], when.limits
    if limits.above is not None and entry.most is not None and limits.above >= entry.most:
        problems.add(f"{place}.above", f"{when.sensor} is never above {limits.above:g}: its most is {entry.most:g}")
    if limits.below is not None and entry.least is not None and limits.below <= entry.least:
        problems.add(f"{place}.below", f"{when.sensor} is never below {limits.below:g}: its least is {entry.least:g}")


def _check_value(problems: Problems, place: str, each: Set, entry: OutputEntry) -> None:
    if isinstance(each.value, tuple) != (entry.kind == "colour"):
        wanted = "[red, green, blue]" if entry.kind == "colour" else "a number"
        problems.add(place, f"{each.output} takes {wanted}")
    elif isinstance(each.value, tuple):
        if len(each.value) != 3 or not all(0 <= part <= 255 for part in each.value):
            problems.add(place, f"{list(each.value)} is no colour: [red, green, blue], each 0 to 255")
    else:
        _check_range(problems, place, each.output, each.value, entry.least, entry.most)


def _check_way(problems: Problems, place: str, move: Move, entry: AxisEntry) -> None:
    least, most = entry.least_um, entry.most_um
    if move.how == "to":
        _check_range(problems, place, move.axis, move.um, least, most)
    elif least is not None and most is not None and abs(move.um) > most - least:
        problems.add(place, f"{move.um:g} um is more than the whole way of {move.axis}, {most - least:g} um")


def _check_range(
    problems: Problems, place: str, name: str, value: float, least: float | None, most: float | None
) -> None:
    if (least is not None and value < least) or (most is not None and value > most):
        problems.add(place, f"{value:g} is out of the range of {name}, {least} to {most}")
