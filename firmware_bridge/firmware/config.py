"""The configuration: all of it is checked before any of it is taken."""

import json

from firmware_bridge.firmware.error import ConfigError as ConfigError
from firmware_bridge.firmware.field import is_number
from firmware_bridge.firmware.hardware import Parts as Parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_LEASE_MS = 5000

# What may stand where, a word for each key: its kind, ! where it must be there, from,to (of texts and maps: how long).
# Kinds: whole Number, Real number, Text, Flag, Pin, Shared pin, Map, Any. As text, because tables take more memory.
_TOP = "v:N!1,1 name:T0,32 buses:M0,8 sensors:M0,32 outputs:M0,32 axes:M0,8 lease_ms:N100,60000 watchdog_ms:N500,8388"
_BUSES = {"i2c": "sda:P! scl:P! hz:N10000,1000000", "onewire": "pin:P!"}
_SENSORS = {
    "driver": "driver:T!1,32 bus:T!1,32 address:N0,18446744073709551615 value:T1,32 period_us:N1000,1000000000",
    "digital": "pin:P! period_us:N1000,1000000000 invert:F pull:N-1,1",
    "analog": "pin:P! period_us:N1000,1000000000 unit:T0,16 scale:R-1e9,1e9 offset:R-1e9,1e9",
}
_OUTPUTS = {
    "digital": "pin:P! invert:F safe:N0,1 lease_ms:N100,60000",
    "pwm": "pin:P! hz:N8,1000000 invert:F safe:R0,1 least:R0,1 most:R0,1 lease_ms:N100,60000",
    "analog": "pin:P! safe:R0,1 least:R0,1 most:R0,1 lease_ms:N100,60000",
    "colour": "driver:T!1,32 pin:P! count:N!1,1024 safe:A lease_ms:N100,60000",
}
_AXIS = (
    "step:P! dir:P! enable:S invert:F um_per_step:R!0.005,1e6 speed:R!0.01,1e6 acceleration:R!0.01,1e8 "
    "least:R!-1e7,1e7 most:R!-1e7,1e7 home:M1,8 backlash:R0,1e5"
)
_HOME = "pin:P! to:N!-1,1 at:R!-1e7,1e7 speed:R0.01,1e6 invert:F"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."


def parse(data: bytes) -> "dict[str, Any]":
    """Read a configuration's JSON.

    Raises
    ------
    ConfigError
        When it is none.
    """
    try:
        config = json.loads(data)
    except (ValueError, RuntimeError) as error:  # MicroPython: too deep
        raise ConfigError("", f"not JSON: {error}") from None
    if not isinstance(config, dict):
        raise ConfigError("", "not a map")
    return config


def check(config: "dict[str, Any]", pins: "Any" = None) -> None:
    """Check all of a configuration.

    Parameters
    ----------
    config : dict
        As `parse` gave it.
    pins : container of int, optional
        The pins that there are.

    Raises
    ------
    ConfigError
        For the first thing that is wrong: where it is and why.
    """
    used = _Pins(pins)
    check_item("", config, _TOP, used)
    for where, bus in parts_of("buses", config, []):
        check_kind(where, bus, _BUSES, used)
    names: list[str] = []
    for where, sensor in parts_of("sensors", config, names):
        if "driver" in sensor:
            check_item(where, sensor, _SENSORS["driver"], used)
            if sensor["bus"] not in config.get("buses", {}):
                raise ConfigError(f"{where}.bus", f"there is no bus {sensor['bus']!r}")
        else:
            check_kind(where, sensor, _SENSORS, used)
    longest = config.get("lease_ms", _LEASE_MS)
    for where, output in parts_of("outputs", config, names):
        check_kind(where, output, _OUTPUTS, used)
        check_output(where, output, longest)
    for where, axis in parts_of("axes", config, names):
        check_item(where, axis, _AXIS, used)
        _axis(where, axis, used)


class _Pins:
    """The pins that are taken, and by what."""

    def __init__(self, there: "Any") -> None:
        self._there = there
        self._by: dict[int, str] = {}
        self._shared: dict[int, bool] = {}

    def take(self, where: str, pin: object, shared: bool) -> None:
        if not isinstance(pin, int) or isinstance(pin, bool) or not 0 <= pin < 256:
            raise ConfigError(where, f"{pin!r:.40} is no number of a pin")
        if self._there is not None and pin not in self._there:
            raise ConfigError(where, f"this board has no pin {pin}")
        if pin in self._by and not (shared and self._shared[pin]):
            raise ConfigError(where, f"pin {pin} is used by {self._by[pin]} already")
        self._by[pin] = where
        self._shared[pin] = shared


def parts_of(key: str, config: "dict[str, Any]", names: "list[str]") -> "Iterator[tuple[str, dict[str, Any]]]":
    """Give each part of a kind with its place; names are read by name alone, so that none may stand twice."""
    parts = config.get(key, {})
    for name in sorted(parts):
        where = f"{key}.{name}"
        if not 1 <= len(name) <= 32 or not all(letter in _LETTERS for letter in name):
            raise ConfigError(where, "a name has 1 to 32 letters, digits, _, - or .")
        if name in names:
            raise ConfigError(where, "this name is used already")
        if not isinstance(parts[name], dict):
            raise ConfigError(where, "not a map")
        names.append(name)
        yield where, parts[name]


def check_kind(where: str, item: "dict[str, Any]", kinds: "dict[str, str]", used: "_Pins | None") -> None:
    """Check an item whose kind says what may be in it."""
    kind = item.get("kind")
    if not isinstance(kind, str) or kind not in kinds or kind == "driver":
        known = ", ".join([name for name in sorted(kinds) if name != "driver"])
        raise ConfigError(f"{where}.kind", f"{kind!r:.40} is none of {known}")
    check_item(where, {name: value for name, value in item.items() if name != "kind"}, kinds[kind], used)


def check_item(where: str, item: "dict[str, Any]", spec: str, used: "_Pins | None") -> None:
    """Check that an item holds what it must, and nothing but what it may."""
    dot = where + "." if where else ""
    rules: dict[str, str] = {}
    for word in spec.split():
        key, rule = word.split(":")
        rules[key] = rule
        if "!" in rule and key not in item:
            raise ConfigError(dot + key, "missing")
    for key in sorted(item):
        if key not in rules:
            raise ConfigError(dot + key, f"not known; known are {', '.join(sorted(rules))}")
        _value(dot + key, item[key], rules[key], used)


def _value(where: str, value: "Any", rule: str, used: "_Pins | None") -> None:
    kind = rule[0]
    if kind == "A":
        return
    if kind == "P" or kind == "S":
        if used is not None:
            used.take(where, value, kind == "S")
        return
    if kind == "F":
        if not isinstance(value, bool):
            raise ConfigError(where, f"{value!r:.40} is neither true nor false")
        return
    if kind == "T" or kind == "M":
        if not isinstance(value, str if kind == "T" else dict):
            raise ConfigError(where, "not text" if kind == "T" else "not a map")
        value = len(value)
    elif not is_number(value) or (kind == "N" and not isinstance(value, int)):
        raise ConfigError(where, f"{value!r:.40} is no {'whole ' if kind == 'N' else ''}number")
    least, most = rule[1:].replace("!", "").split(",")
    if not _limit(least) <= value <= _limit(most):
        raise ConfigError(where, f"{value} is not from {least} to {most}")


def _limit(text: str) -> "int | float":
    return float(text) if "." in text or "e" in text else int(text)


def check_output(where: str, output: "dict[str, Any]", longest: int) -> None:
    """Check that an output's lease, range and safe value go together."""
    if output.get("lease_ms", 0) > longest:
        raise ConfigError(f"{where}.lease_ms", f"{output['lease_ms']} is longer than the longest of all, {longest}")
    if output["kind"] == "colour":
        safe = output.get("safe", [0, 0, 0])
        if not isinstance(safe, list) or len(safe) != 3 or not all(part in range(256) for part in safe):
            raise ConfigError(f"{where}.safe", "a colour is [r, g, b], each from 0 to 255")
        return
    least, most = output.get("least", 0), output.get("most", 1)
    if least >= most:
        raise ConfigError(f"{where}.least", f"{least} is not below most, {most}")
    if not least <= output.get("safe", 0) <= most:
        raise ConfigError(f"{where}.safe", f"{output.get('safe', 0)} is not from {least} to {most}")


def _axis(where: str, axis: "dict[str, Any]", used: _Pins) -> None:
    least, most = axis["least"], axis["most"]
    if least >= most:
        raise ConfigError(f"{where}.least", f"{least} is not below most, {most}")
    if axis["speed"] > 1e5 * axis["um_per_step"]:
        raise ConfigError(f"{where}.speed", "more than 100 000 steps a second")
    home = axis.get("home")
    if home is None:
        return
    check_item(f"{where}.home", home, _HOME, used)
    if home["to"] == 0:
        raise ConfigError(f"{where}.home.to", "-1 or 1")
    if not least <= home["at"] <= most:
        raise ConfigError(f"{where}.home.at", f"{home['at']} is not from {least} to {most}")
    if home.get("speed", 0) > axis["speed"]:
        raise ConfigError(f"{where}.home.speed", f"{home['speed']} is above the axis's own, {axis['speed']}")
