from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boards.telemetry import PowerSupply, Telemetry

Grow = Callable[[dict[str, str]], Path]

# https://docs.kernel.org/power/power_supply_class.html
BATTERY = {
    "type": "Battery",
    "status": "Discharging",
    "health": "Good",
    "capacity": "71",
    "voltage_now": "3841000",
    "current_now": "-412000",
    "temp": "253",
}


def supply(name: str, values: dict[str, str]) -> dict[str, str]:
    return {f"sys/class/power_supply/{name}/{value}": f"{text}\n" for value, text in values.items()}


def test_a_battery_is_told_in_volts_amperes_and_degrees(tree: Grow) -> None:
    assert Telemetry(tree(supply("bat", BATTERY))).read().supplies == (
        PowerSupply("bat", "Battery", None, "Discharging", "Good", 71, 3.841, -0.412, 25.3),
    )


@pytest.mark.parametrize(("text", "online"), [("0", False), ("1", True), ("2", True)])
def test_a_plug_gives_power_or_not(tree: Grow, text: str, online: bool) -> None:
    (plug,) = Telemetry(tree(supply("usb", {"type": "USB", "online": text}))).read().supplies
    assert (plug.kind, plug.online, plug.charge_percent) == ("USB", online, None)


def test_the_battery_of_a_mouse_is_not_this_machines(tree: Grow) -> None:
    root = tree(supply("bat", BATTERY) | supply("hidpp_battery_0", BATTERY | {"scope": "Device"}))
    assert [supply.name for supply in Telemetry(root).read().supplies] == ["bat"]


def test_unknown_is_nothing_told(tree: Grow) -> None:
    reading = Telemetry(tree(supply("bat", BATTERY | {"status": "Unknown", "health": "Unknown"}))).read()
    assert (reading.supplies[0].status, reading.supplies[0].health, reading.unreadable) == (None, None, ())


@pytest.mark.parametrize("text", ["-1", "", "101", "full"])
def test_a_charge_that_makes_no_sense_is_none_and_named(tree: Grow, text: str) -> None:
    reading = Telemetry(tree(supply("bat", BATTERY | {"capacity": text}))).read()
    assert (reading.supplies[0].charge_percent, reading.supplies[0].voltage_v) == (None, 3.841)
    assert [name.partition(":")[0] for name in reading.unreadable] == ["/sys/class/power_supply/bat/capacity"]


def test_a_battery_that_is_taken_out_is_named_value_by_value(tree: Grow) -> None:
    root = tree(supply("bat", BATTERY))
    telemetry = Telemetry(root)
    for path in (root / "sys/class/power_supply/bat").iterdir():
        path.unlink()
    reading = telemetry.read()
    assert reading.supplies == (PowerSupply("bat", "Battery", None, None, None, None, None, None, None),)
    assert len(reading.unreadable) == 6
