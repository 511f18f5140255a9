from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boards.telemetry import EnergyMeter, EnergyReading

Grow = Callable[[dict[str, str]], Path]
NOTHING = EnergyReading(None, None, None)

# Files as of https://docs.kernel.org/hwmon/ina3221.html; labels and values of a Jetson Orin Nano's tegrastats
# ("VDD_IN 4824mW/4824mW VDD_CPU_GPU_CV 518mW/518mW VDD_SOC 1475mW/1475mW"), at the 5.05 V that its sensors show.
ORIN = {
    "name": "ina3221",
    "in1_label": "VDD_IN",
    "in1_input": "5050",
    "curr1_input": "955",
    "in2_label": "VDD_CPU_GPU_CV",
    "in2_input": "5050",
    "curr2_input": "103",
    "in3_label": "VDD_SOC",
    "in3_input": "5050",
    "curr3_input": "292",
    "in7_label": "sum of shunt voltages",
    "in7_input": "13",
    "curr4_input": "1350",
}
# https://docs.kernel.org/power/powercap/powercap.html
PACKAGE = {"name": "package-0", "energy_uj": "5000000", "max_energy_range_uj": "262143328850"}
BATTERY = {"type": "Battery", "status": "Discharging", "voltage_now": "4000000", "current_now": "-500000"}


def hwmon(number: int, values: dict[str, str]) -> dict[str, str]:
    return {f"sys/class/hwmon/hwmon{number}/{name}": f"{text}\n" for name, text in values.items()}


def zone(name: str, values: dict[str, str]) -> dict[str, str]:
    return {f"sys/class/powercap/{name}/{value}": f"{text}\n" for value, text in values.items()}


def supply(name: str, values: dict[str, str]) -> dict[str, str]:
    return {f"sys/class/power_supply/{name}/{value}": f"{text}\n" for value, text in values.items()}


def test_where_nothing_tells_nothing_is_told(tree: Grow) -> None:
    meter = EnergyMeter(tree({}))
    assert (meter.source, meter.covers, meter.read()) == ("", "", NOTHING)


def test_the_inlet_of_a_jetson_stands_for_the_whole_machine(tree: Grow) -> None:
    meter = EnergyMeter(tree(hwmon(3, ORIN)))
    assert (meter.source, meter.covers) == ("VDD_IN", "machine")
    assert meter.read().power_w == pytest.approx(4.82, abs=0.01)


def test_rails_without_an_inlet_are_added_up(tree: Grow) -> None:
    rails = {name: text for name, text in ORIN.items() if "1_" not in name}
    meter = EnergyMeter(tree(hwmon(3, rails)))
    assert (meter.source, meter.covers) == ("VDD_CPU_GPU_CV, VDD_SOC", "rails")
    assert meter.read().power_w == pytest.approx(5.05 * (0.103 + 0.292))


def test_a_chip_of_one_channel_tells_watts_itself(tree: Grow) -> None:
    meter = EnergyMeter(tree(hwmon(0, {"name": "ina226", "power1_input": "3200000"})))
    assert (meter.source, meter.covers, meter.read().power_w) == ("ina226 hwmon0", "rails", 3.2)


def test_other_sensors_are_no_power_monitors(tree: Grow) -> None:
    assert EnergyMeter(tree(hwmon(0, ORIN | {"name": "nct6775"}))).source == ""


def test_a_battery_that_runs_the_machine_tells_what_it_takes(tree: Grow) -> None:
    meter = EnergyMeter(tree(supply("BAT0", BATTERY)))
    assert (meter.source, meter.covers, meter.read().power_w) == ("BAT0", "machine", 2.0)


def test_a_battery_with_a_power_of_its_own_goes_by_that(tree: Grow) -> None:
    assert EnergyMeter(tree(supply("BAT0", BATTERY | {"power_now": "1900000"}))).read().power_w == 1.9


@pytest.mark.parametrize("other", [{"status": "Charging"}, {"scope": "Device"}, {"type": "USB"}])
def test_a_battery_that_does_not_run_it_tells_nothing(tree: Grow, other: dict[str, str]) -> None:
    assert EnergyMeter(tree(supply("BAT0", BATTERY | other))).source == ""


def test_a_battery_that_is_being_charged_meanwhile_tells_nothing_more(tree: Grow) -> None:
    root = tree(supply("BAT0", BATTERY))
    meter = EnergyMeter(root)
    (root / "sys/class/power_supply/BAT0/status").write_text("Charging\n")
    assert meter.read() == NOTHING


def test_a_pc_counts_the_energy_of_its_processor(tree: Grow) -> None:
    meter = EnergyMeter(tree(zone("intel-rapl:0", PACKAGE) | zone("intel-rapl:0:0", PACKAGE | {"name": "core"})))
    assert (meter.source, meter.covers) == ("package-0", "processor")
    assert meter.read() == EnergyReading(None, 5.0, 262143.32885)


def test_two_processors_are_counted_together(tree: Grow) -> None:
    second = PACKAGE | {"name": "package-1", "energy_uj": "7000000"}
    meter = EnergyMeter(tree(zone("intel-rapl:0", PACKAGE) | zone("intel-rapl:1", second)))
    assert meter.read() == EnergyReading(None, 12.0, None)


def test_the_counter_of_the_whole_platform_goes_before_that_of_the_processor(tree: Grow) -> None:
    meter = EnergyMeter(tree(zone("intel-rapl:0", PACKAGE) | zone("intel-rapl:1", PACKAGE | {"name": "psys"})))
    assert (meter.source, meter.covers) == ("psys", "machine")


def test_counters_that_only_root_may_read_are_none(tree: Grow, ordinary_user: Callable[[], object]) -> None:
    root = tree(zone("intel-rapl:0", PACKAGE))
    (root / "sys/class/powercap/intel-rapl:0/energy_uj").chmod(0)
    for folder in (root, *root.parents):
        if folder.owner() == root.owner():
            folder.chmod(folder.stat().st_mode | 0o111)
    with ordinary_user():  # type: ignore[attr-defined]
        assert EnergyMeter(root).source == ""


@pytest.mark.parametrize("text", ["", "many", "-2000000000"])
def test_a_value_that_makes_no_sense_is_none_and_named(tree: Grow, text: str) -> None:
    meter = EnergyMeter(tree(hwmon(3, ORIN)))
    (Path(str(meter._files._root)) / "sys/class/hwmon/hwmon3/curr1_input").write_text(text)
    assert meter.read() == NOTHING
    assert [each.partition(":")[0] for each in meter.take_unreadable()] == ["/sys/class/hwmon/hwmon3/curr1_input"]


def test_a_counter_that_goes_away_is_none(tree: Grow) -> None:
    root = tree(zone("intel-rapl:0", PACKAGE))
    meter = EnergyMeter(root)
    (root / "sys/class/powercap/intel-rapl:0/energy_uj").unlink()
    assert meter.read() == NOTHING


def test_closing_twice_is_harmless(tree: Grow) -> None:
    with EnergyMeter(tree(hwmon(3, ORIN))) as meter:
        assert "VDD_IN" in repr(meter)
    meter.close()
