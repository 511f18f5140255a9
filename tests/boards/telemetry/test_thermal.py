from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from boards.telemetry import CoolingDevice, Telemetry, Trip

Grow = Callable[[dict[str, str]], Path]


def zone(number: int, kind: str, temperature: str, trips: tuple[tuple[str, str], ...] = ()) -> dict[str, str]:
    folder = f"sys/class/thermal/thermal_zone{number}"
    files = {f"{folder}/type": f"{kind}\n", f"{folder}/temp": f"{temperature}\n"}
    for index, (trip, at) in enumerate(trips):
        files |= {f"{folder}/trip_point_{index}_type": f"{trip}\n", f"{folder}/trip_point_{index}_temp": f"{at}\n"}
    return files


def cooling(number: int, kind: str, state: str, most: str) -> dict[str, str]:
    folder = f"sys/class/thermal/cooling_device{number}"
    return {f"{folder}/type": f"{kind}\n", f"{folder}/cur_state": f"{state}\n", f"{folder}/max_state": f"{most}\n"}


# Trip points of arch/arm64/boot/dts/rockchip/rk3588-base.dtsi, thermal-zones, Linux 6.12.
ROCKCHIP = zone(0, "package-thermal", "43461", (("critical", "115000"),)) | zone(
    10, "bigcore0-thermal", "86900", (("critical", "115000"), ("passive", "85000"))
)


# As drivers call them: cpufreq_cooling.c, devfreq_cooling.c, acpi/processor_thermal.c, intel_powerclamp.c,
# cpuidle_cooling.c; the last is of NVIDIA's vendor kernel.
SLOWING = (
    *("cpufreq-cpu0", "thermal-cpufreq-0", "devfreq-fb000000.gpu", "thermal-devfreq-1"),
    *("Processor", "intel_powerclamp", "idle-cpu0", "cpu-throttle-alert"),
)


def test_zones_are_named_by_what_they_measure_with_the_coolest_point_first(tree: Grow) -> None:
    package, big = Telemetry(tree(ROCKCHIP)).read().zones
    assert (package.name, package.kind, package.temperature_c) == ("thermal_zone0", "package-thermal", 43.461)
    assert big.trips == (Trip("passive", 85.0), Trip("critical", 115.0))


def test_the_points_that_were_reached_are_told(tree: Grow) -> None:
    package, big = Telemetry(tree(ROCKCHIP)).read().zones
    assert package.crossed == ()
    assert big.crossed == (Trip("passive", 85.0),)


def test_the_hottest_zone_is_found(tree: Grow) -> None:
    hottest = Telemetry(tree(ROCKCHIP)).read().hottest
    assert hottest is not None
    assert hottest.kind == "bigcore0-thermal"


def test_a_temperature_below_zero_is_one(tree: Grow) -> None:
    assert Telemetry(tree(zone(0, "acpitz", "-44000"))).read().zones[0].temperature_c == -44.0


# -274000: include/linux/thermal.h, THERMAL_TEMP_INVALID. -256000: a Jetson's zones of blocks without power.
@pytest.mark.parametrize("text", ["-274000", "-256000", "-1", "", "hot", "2000000"])
def test_what_is_no_temperature_is_none_and_named(tree: Grow, text: str) -> None:
    reading = Telemetry(tree(zone(0, "cv0-thermal", text) | zone(1, "cpu-thermal", "50000"))).read()
    assert [found.temperature_c for found in reading.zones] == [None, 50.0]
    assert [name.partition(":")[0] for name in reading.unreadable] == ["/sys/class/thermal/thermal_zone0/temp"]


def test_a_trip_point_that_is_switched_off_is_left_out(tree: Grow) -> None:
    trips = (("passive", "-274000"), ("hot", "90000"))
    assert Telemetry(tree(zone(0, "cpu-thermal", "1000", trips))).read().zones[0].trips == (Trip("hot", 90.0),)


def test_a_zone_that_goes_between_two_readings_is_named(tree: Grow) -> None:
    root = tree(ROCKCHIP)
    telemetry = Telemetry(root)
    assert telemetry.read().unreadable == ()
    for path in (root / "sys/class/thermal/thermal_zone10").iterdir():
        path.unlink()
    reading = telemetry.read()
    assert [zone.temperature_c for zone in reading.zones] == [43.461, None]
    assert reading.unreadable == ("/sys/class/thermal/thermal_zone10/temp: No such file or directory",)


class TestCooling:
    def test_states_are_told_with_their_most(self, tree: Grow) -> None:
        (found,) = Telemetry(tree(cooling(0, "cpufreq-cpu0", "2", "8"))).read().cooling
        assert found == CoolingDevice("cooling_device0", "cpufreq-cpu0", 2, 8)

    @pytest.mark.parametrize("kind", SLOWING)
    def test_what_slows_a_processor_is_known(self, kind: str) -> None:
        assert CoolingDevice("cooling_device0", kind, 0, 1).slows

    @pytest.mark.parametrize("kind", ["pwm-fan", "gpio-fan", "Fan", "TFN1", "LCD", "iwlwifi_1", "cpu_fan"])
    def test_what_only_blows_or_dims_is_not(self, kind: str) -> None:
        assert not CoolingDevice("cooling_device0", kind, 0, 1).slows

    def test_a_state_of_less_than_nothing_is_none_and_named(self, tree: Grow) -> None:
        # intel_powerclamp says so while it does nothing.
        reading = Telemetry(tree(cooling(2, "intel_powerclamp", "-1", "27"))).read()
        assert (reading.cooling[0].state, reading.throttling) == (None, ())
        assert "cooling_device2/cur_state" in reading.unreadable[0]


def test_a_real_trees_zones_and_devices(material: Path) -> None:
    root = material / "captures" / "procfs"
    if not root.is_dir():
        pytest.skip(f"no capture at {root}")
    reading = Telemetry(root).read()
    assert [(zone.kind, zone.temperature_c) for zone in reading.zones] == [
        ("bcm2835_thermal", 49.925),
        ("acpitz", -44.0),
    ]
    assert [(device.kind, device.state, device.max_state) for device in reading.cooling] == [
        ("Processor", 0, 50),
        ("TFN1", None, 50),
        ("intel_powerclamp", None, 27),
    ]
    assert [name.rpartition("/")[0] for name in reading.unreadable if "cur_state" in name] == [
        "/sys/class/thermal/cooling_device1",
        "/sys/class/thermal/cooling_device2",
    ]


def test_the_temperatures_of_real_jetsons_come_back_as_they_were(tree: Grow, material: Path) -> None:
    capture = material / "captures" / "tegrastats" / "tegrastats_lines.txt"
    if not capture.is_file():
        pytest.skip(f"no capture at {capture}")
    lines = [re.findall(r"(\w+)@(-?[0-9.]+)C", line) for line in capture.read_text().splitlines()]
    assert max(map(len, lines)) == 8
    for number, told in enumerate(lines):
        files: dict[str, str] = {}
        for index, (kind, celsius) in enumerate(told):
            files |= zone(index, kind, str(round(float(celsius) * 1000)))
        zones = Telemetry(tree({f"{number}/{name}": text for name, text in files.items()}) / str(number)).read().zones
        assert [(zone.kind, zone.temperature_c) for zone in zones] == [(kind, float(at)) for kind, at in told]
