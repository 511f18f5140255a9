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
_PARTS = 32

# What may stand at a key: kind, whether it must, the least and the most (of text: of its length).
# A pin may be used once, a shared pin by parts that share it.
_TEXT, _WHOLE, _NUMBER, _FLAG, _PIN, _SHARED, _MAP, _ANY = range(8)
_MUST, _MAY = True, False

_TOP = {
    "v": (_WHOLE, _MUST, 1, 1),
    "name": (_TEXT, _MAY, 0, 32),
    "buses": (_MAP, _MAY, 0, 8),
    "sensors": (_MAP, _MAY, 0, _PARTS),
    "outputs": (_MAP, _MAY, 0, _PARTS),
    "axes": (_MAP, _MAY, 0, 8),
    "lease_ms": (_WHOLE, _MAY, 100, 60_000),
    "watchdog_ms": (_WHOLE, _MAY, 500, 8388),  # the longest that an RP2040's can do
}
_BUSES = {
    "i2c": {"sda": (_PIN, _MUST), "scl": (_PIN, _MUST), "hz": (_WHOLE, _MAY, 10_000, 1_000_000)},
    "onewire": {"pin": (_PIN, _MUST)},
}
_PERIOD = (_WHOLE, _MAY, 1000, 1_000_000_000)
_SCALED = {
    "pin": (_PIN, _MUST),
    "period_us": _PERIOD,
    "unit": (_TEXT, _MAY, 0, 16),
    "scale": (_NUMBER, _MAY, -1e9, 1e9),
    "offset": (_NUMBER, _MAY, -1e9, 1e9),
}
_SENSORS: "dict[str, dict[str, Any]]" = {
    "driver": {
        "driver": (_TEXT, _MUST, 1, 32),
        "bus": (_TEXT, _MUST, 1, 32),
        "address": (_WHOLE, _MAY, 0, (1 << 64) - 1),  # of a 1-wire sensor: its ROM code
        "value": (_TEXT, _MAY, 1, 32),
        "period_us": _PERIOD,
    },
    "digital": {"pin": (_PIN, _MUST), "period_us": _PERIOD, "invert": (_FLAG, _MAY), "pull": (_WHOLE, _MAY, -1, 1)},
    "analog": _SCALED,
}
_LEASE = (_WHOLE, _MAY, 100, 60_000)
_OUTPUTS = {
    "digital": {"pin": (_PIN, _MUST), "invert": (_FLAG, _MAY), "safe": (_WHOLE, _MAY, 0, 1), "lease_ms": _LEASE},
    "pwm": {
        "pin": (_PIN, _MUST),
        "hz": (_WHOLE, _MAY, 8, 1_000_000),
        "invert": (_FLAG, _MAY),
        "safe": (_NUMBER, _MAY, 0, 1),
        "least": (_NUMBER, _MAY, 0, 1),
        "most": (_NUMBER, _MAY, 0, 1),
        "lease_ms": _LEASE,
    },
    "analog": {
        "pin": (_PIN, _MUST),
        "safe": (_NUMBER, _MAY, 0, 1),
        "least": (_NUMBER, _MAY, 0, 1),
        "most": (_NUMBER, _MAY, 0, 1),
        "lease_ms": _LEASE,
    },
    "colour": {
        "driver": (_TEXT, _MUST, 1, 32),
        "pin": (_PIN, _MUST),
        "count": (_WHOLE, _MUST, 1, 1024),
        "safe": (_ANY, _MAY),
        "lease_ms": _LEASE,
    },
}
_AXIS = {
    "step": (_PIN, _MUST),
    "dir": (_PIN, _MUST),
    "enable": (_SHARED, _MAY),
    "invert": (_FLAG, _MAY),
    "um_per_step": (_NUMBER, _MUST, 0.005, 1e6),
    "speed": (_NUMBER, _MUST, 0.01, 1e6),
    "acceleration": (_NUMBER, _MUST, 0.01, 1e8),
    "least": (_NUMBER, _MUST, -1e7, 1e7),
    "most": (_NUMBER, _MUST, -1e7, 1e7),
    "home": (_MAP, _MAY, 1, 8),
    "backlash": (_NUMBER, _MAY, 0, 1e5),
}
_HOME = {
    "pin": (_PIN, _MUST),
    "to": (_WHOLE, _MUST, -1, 1),
    "at": (_NUMBER, _MUST, -1e7, 1e7),
    "speed": (_NUMBER, _MAY, 0.01, 1e6),
    "invert": (_FLAG, _MAY),
}
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
    _item("", config, _TOP, used)
    for where, bus in _parts("buses", config, []):
        _kind(where, bus, "kind", _BUSES, used)
    names: list[str] = []
    for where, sensor in _parts("sensors", config, names):
        if "driver" in sensor:
            _item(where, sensor, _SENSORS["driver"], used)
            if sensor["bus"] not in config.get("buses", {}):
                raise ConfigError(f"{where}.bus", f"there is no bus {sensor['bus']!r}")
        else:
            _kind(where, sensor, "kind", _SENSORS, used)
    longest = config.get("lease_ms", _LEASE_MS)
    for where, output in _parts("outputs", config, names):
        _kind(where, output, "kind", _OUTPUTS, used)
        _output(where, output, longest)
    for where, axis in _parts("axes", config, names):
        _item(where, axis, _AXIS, used)
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


def _parts(key: str, config: "dict[str, Any]", names: "list[str]") -> "Iterator[tuple[str, dict[str, Any]]]":
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


def _kind(where: str, item: "dict[str, Any]", key: str, kinds: "dict[str, Any]", used: _Pins) -> None:
    """Check an item whose kind says what may be in it."""
    kind = item.get(key)
    if kind not in kinds or kind == "driver":
        raise ConfigError(f"{where}.{key}", f"{kind!r:.40} is none of {', '.join(sorted(kinds))}")
    _item(where, {name: value for name, value in item.items() if name != key}, kinds[kind], used)


def _item(where: str, item: "dict[str, Any]", spec: "dict[str, Any]", used: _Pins) -> None:
    """Check that an item holds what it must, and nothing but what it may."""
    dot = where + "." if where else ""
    for key in sorted(item):
        if key not in spec:
            raise ConfigError(dot + str(key), f"not known; known are {', '.join(sorted(spec))}")
        _value(dot + key, item[key], spec[key], used)
    for key in sorted(spec):
        if spec[key][1] and key not in item:
            raise ConfigError(dot + key, "missing")


def _value(where: str, value: "Any", spec: "Any", used: _Pins) -> None:
    kind = spec[0]
    if kind == _ANY:
        return
    if kind in (_PIN, _SHARED):
        used.take(where, value, kind == _SHARED)
        return
    if kind == _FLAG:
        if not isinstance(value, bool):
            raise ConfigError(where, f"{value!r:.40} is neither true nor false")
        return
    least, most = spec[2], spec[3]
    if kind in (_TEXT, _MAP):
        wanted = str if kind == _TEXT else dict
        if not isinstance(value, wanted):
            raise ConfigError(where, "not text" if kind == _TEXT else "not a map")
        value = len(value)
    elif not is_number(value) or (kind == _WHOLE and not isinstance(value, int)):
        raise ConfigError(where, f"{value!r:.40} is no {'whole ' if kind == _WHOLE else ''}number")
    if not least <= value <= most:
        raise ConfigError(where, f"{value} is not from {least} to {most}")


def _output(where: str, output: "dict[str, Any]", longest: int) -> None:
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
    _item(f"{where}.home", home, _HOME, used)
    if home["to"] == 0:
        raise ConfigError(f"{where}.home.to", "-1 or 1")
    if not least <= home["at"] <= most:
        raise ConfigError(f"{where}.home.at", f"{home['at']} is not from {least} to {most}")
    if home.get("speed", 0) > axis["speed"]:
        raise ConfigError(f"{where}.home.speed", f"{home['speed']} is above the axis's own, {axis['speed']}")
