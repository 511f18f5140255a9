"""Sensors as the configuration asks for them, one driver for all values of a chip."""

from firmware_bridge.driver.table import DRIVERS
from firmware_bridge.firmware.error import ConfigError
from firmware_bridge.firmware.hardware import Sensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class DriverSensor(Sensor):
    """One value of a chip."""

    def __init__(self, chip: "Any", value: str, entry: "dict[str, Any]") -> None:
        self.entry = entry
        self._chip = chip
        self._value = value

    def read(self) -> "float | None":
        """Give the value, None where there is none just now."""
        value: float | None = self._chip.read(self._value)
        return value

    def age(self) -> "tuple[int, int]":
        """Say how many microseconds ago what `read` gave was measured, and how far off that may be either way."""
        age: tuple[int, int] = self._chip.age()
        return age


class Chips:
    """The chips of a configuration.

    Whoever holds them calls `poll` every few milliseconds: chips that must be told to measure are told then.

    Parameters
    ----------
    clock_us : function
        Microseconds, modulo 2**30 or a multiple of it, as ``time.ticks_us`` gives them.
    """

    def __init__(self, clock_us: "Callable[[], int]") -> None:
        self._clock_us = clock_us
        self._chips: dict[tuple[str, str, int], Any] = {}
        self._owners: dict[str, Any] = {}

    def sensor(self, where: str, item: "dict[str, Any]", bus: "Any") -> DriverSensor:
        """Make a sensor of its item in the configuration, which `check_item` found right.

        Parameters
        ----------
        where : str
            The item's place, for messages.
        item : dict
            With ``driver``, ``bus`` and, where they are needed, ``address``, ``value`` and ``period_us``.
        bus : object
            What ``bus`` names.
        """
        module, name, _, values = DRIVERS[item["driver"]]
        value = check_item(where, item, DRIVERS[item["driver"]][2])
        made = getattr(__import__(module, None, None, (name,)), name)
        address = item.get("address", made.address)
        key = (item["driver"], item["bus"], address)
        if key not in self._chips:
            self._chips[key] = made(bus, address, self._clock_us)
        entry = dict(values[value])
        entry["period_us"] = max(entry["period_us"], item.get("period_us", 0))
        return DriverSensor(self._chips[key], value, entry)

    def poll(self) -> None:
        """Let every chip do what is due, one at a time on each bus."""
        for (_, bus, _), chip in self._chips.items():
            owner = self._owners.get(bus)
            chip.attended = True
            if owner is None or owner is chip:
                self._owners[bus] = chip if chip.poll() else None


def check_item(where: str, item: "dict[str, Any]", bus_kind: str) -> str:
    """Check a sensor's item of the configuration, and give the name of the value that it asks for.

    Raises
    ------
    ConfigError
        If there is no such driver or value, or the driver needs another kind of bus.
    """
    driver = item["driver"]
    if driver not in DRIVERS:
        raise ConfigError(f"{where}.driver", f"{driver!r:.40} is none of {', '.join(sorted(DRIVERS))}")
    _, _, kind, values = DRIVERS[driver]
    if kind != bus_kind:
        raise ConfigError(f"{where}.bus", f"a {driver} needs a bus of the kind {kind}, not {bus_kind}")
    if len(values) == 1 and "value" not in item:
        return str(next(iter(values)))
    value = item.get("value")
    if value not in values:
        raise ConfigError(f"{where}.value", f"{value!r:.40} is none of {', '.join(sorted(values))}")
    return str(value)
