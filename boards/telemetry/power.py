"""Batteries and power supplies.

Source: https://docs.kernel.org/power/power_supply_class.html; currents are in µA, voltages in µV.
"""

from __future__ import annotations

from dataclasses import dataclass

from boards.telemetry.file import Files

__all__ = ["PowerSupply", "find_supplies", "supplies_now"]

_FOLDER = "/sys/class/power_supply"
_VALUES = ("online", "status", "health", "capacity", "voltage_now", "current_now", "temp")


@dataclass(frozen=True, slots=True)
class PowerSupply:
    """A battery or a plug; what its driver does not tell is None."""

    name: str
    kind: str
    """`Battery`, `Mains`, `USB`, `UPS`."""
    online: bool | None
    """Whether the plug gives power."""
    status: str | None
    """`Charging`, `Discharging`, `Not charging`, `Full`; None where the driver says `Unknown`."""
    health: str | None
    """`Good`, `Overheat`, `Dead` and others; None where the driver says `Unknown`."""
    charge_percent: int | None
    voltage_v: float | None
    current_a: float | None
    """Drivers do not agree on the sign of a discharge."""
    temperature_c: float | None


Found = tuple[str, str, frozenset[str]]


def find_supplies(files: Files) -> list[Found]:
    """Find the supplies of this machine (not those of a mouse on it), and what each tells."""
    found = []
    for name in files.names(_FOLDER):
        folder = f"{_FOLDER}/{name}"
        if files.text(f"{folder}/scope", optional=True) != "Device":
            told = frozenset(files.names(folder)).intersection(_VALUES)
            found.append((name, files.text(f"{folder}/type") or "", told))
    return found


def supplies_now(files: Files, found: list[Found]) -> tuple[PowerSupply, ...]:
    """Read the supplies that were found."""
    return tuple(_supply(files, *supply) for supply in found)


def _supply(files: Files, name: str, kind: str, told: frozenset[str]) -> PowerSupply:
    folder = f"{_FOLDER}/{name}"

    def number(value: str, *, least: int) -> int | None:
        """Read a number; None where this supply has no such file."""
        return files.number(f"{folder}/{value}", least=least) if value in told else None

    def word(value: str) -> str | None:
        """Read a word; None where the driver says that it does not know."""
        text = files.text(f"{folder}/{value}") if value in told else None
        return None if text == "Unknown" else text

    online = number("online", least=0)  # 2 says that the voltage can be chosen
    charge = number("capacity", least=0)
    if charge is not None and charge > 100:
        files.note(f"{folder}/capacity", f"holds {charge}")
        charge = None
    voltage = number("voltage_now", least=0)
    current = number("current_now", least=-(10**8))
    temperature = number("temp", least=-600)  # tenths of a degree
    return PowerSupply(
        name=name,
        kind=kind,
        online=None if online is None else online > 0,
        status=word("status"),
        health=word("health"),
        charge_percent=charge,
        voltage_v=None if voltage is None else voltage / 1e6,
        current_a=None if current is None else current / 1e6,
        temperature_c=None if temperature is None else temperature / 10,
    )
