"""The configuration of a board's own pins: what hangs where, all of it checked before any pin is touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boards.file import read_file
from firmware_bridge.driver import part
from firmware_bridge.error import BridgeError
from firmware_bridge.firmware import config as rules
from firmware_bridge.firmware.error import ConfigError

__all__ = ["LEASE_MS", "read_config", "wrong"]

LEASE_MS = 5000
_MOST_BYTES = 64 * 1024

# As in firmware_bridge.firmware.config, of which this is the board's side: the same words for the same things.
_TOP = "v:N!1,1 name:T0,32 buses:M0,8 sensors:M0,32 outputs:M0,32 lease_ms:N100,60000"
_BUSES = {"i2c": "device:T!1,64", "spi": "device:T!1,64 mode:N0,3 hz:N1,50000000"}
_LINE = "pin:N1,255 chip:T1,32 line:N0,1023 invert:F "
_DRIVER = "driver:T!1,32 bus:T!1,32 address:N8,119 value:T1,32 period_us:N1000,1000000000"
_SENSORS = {"digital": _LINE + "pull:N-1,1 edges:F period_us:N1000,1000000000"}
_OUTPUTS = {
    "digital": _LINE + "safe:N0,1 lease_ms:N100,60000",
    "pwm": "chip:N!0,255 channel:N!0,255 hz:N1,1000000 invert:F safe:R0,1 least:R0,1 most:R0,1 lease_ms:N100,60000",
}


def read_config(config: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """Read and check a configuration.

    Parameters
    ----------
    config : mapping or path
        The configuration, or a JSON file of it.

    Raises
    ------
    BridgeError
        If the file cannot be read, or for the first thing that is wrong, with its place.
    """
    try:
        found = dict(config) if isinstance(config, Mapping) else rules.parse(_read(config))
        _check(found)
    except ConfigError as error:
        raise wrong(error) from error
    return found


def _read(path: str | Path) -> bytes:
    return read_file(path, _MOST_BYTES, BridgeError, fix="Name the JSON file that says what hangs where.")


def wrong(error: ConfigError) -> BridgeError:
    """Say what is wrong with a configuration."""
    return BridgeError(
        "The configuration of the pins is wrong, and no pin was touched.",
        why=str(error),
        fix="docs/how-to/use-the-pins.md shows what may stand there.",
    )


def _check(config: dict[str, Any]) -> None:
    rules.check_item("", config, _TOP, None)
    for where, bus in rules.parts_of("buses", config, []):
        rules.check_kind(where, bus, _BUSES, None)
    names: list[str] = []
    for where, sensor in rules.parts_of("sensors", config, names):
        if "driver" not in sensor:
            rules.check_kind(where, sensor, _SENSORS, None)
            _check_line(where, sensor)
            continue
        rules.check_item(where, sensor, _DRIVER, None)
        bus = config.get("buses", {}).get(sensor["bus"])
        if bus is None:
            raise ConfigError(f"{where}.bus", f"there is no bus {sensor['bus']!r}")
        part.check_item(where, sensor, bus["kind"])
    for where, output in rules.parts_of("outputs", config, names):
        rules.check_kind(where, output, _OUTPUTS, None)
        rules.check_output(where, output, config.get("lease_ms", LEASE_MS))
        if output["kind"] == "digital":
            _check_line(where, output)


def _check_line(where: str, item: dict[str, Any]) -> None:
    if ("pin" in item) == ("line" in item) or ("chip" in item) != ("line" in item):
        raise ConfigError(where, "a line is named by pin, its place on the header, or by chip (its label) and line")
