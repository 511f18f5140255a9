from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from stand import Stand

from firmware_bridge.error import BridgeError, StaleReading
from firmware_bridge.part.sensor import Sensor


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand("sim://incubator").open()
    yield stand
    stand.close()


@pytest.fixture
def temperature(stand: Stand) -> Sensor:
    return stand.bridge.sensor("temperature")


def test_the_latest_is_not_read_again_while_it_is_young_enough(stand: Stand, temperature: Sensor) -> None:
    first = temperature.read()
    asked = stand.bridge.statistics.requests
    assert temperature.latest(1) is first
    assert stand.bridge.statistics.requests == asked
    stand.run(2)
    assert temperature.latest(1).time_s > first.time_s + 1.9


def test_a_reading_that_may_be_too_old_is_read_again(stand: Stand, temperature: Sensor) -> None:
    read = temperature.read()
    temperature._kept[-1] = unsure = replace(read, uncertainty_s=0.9)
    stand.run(0.2)
    assert temperature.latest(1) is not unsure
    assert temperature.latest(1).uncertainty_s < 0.1


def test_an_old_reading_is_never_given_in_place_of_a_young_one(stand: Stand, temperature: Sensor) -> None:
    temperature.read()
    stand.run(2)
    stand.ports[-1].write = lambda data: None  # type: ignore[method-assign]
    with pytest.raises(
        StaleReading, match=r"no reading of temperature of the last 1 s(.|\n)*The newest is 3 s old"
    ) as stale:
        temperature.latest(1)
    assert isinstance(stale.value.__cause__, BridgeError)
    assert temperature.latest(10).time_s < stand.time.now_s - 2


def test_a_value_between_two_readings_is_interpolated(stand: Stand, temperature: Sensor) -> None:
    sensor = temperature
    before = sensor.take(20.0, 1_000_000)
    after = sensor.take(21.0, 1_400_000)
    middle = sensor.at(before.time_s + 0.1)
    assert middle.value == pytest.approx(20.25)
    assert middle.time_s == before.time_s + 0.1
    assert middle.uncertainty_s == max(before.uncertainty_s, after.uncertainty_s)
    assert sensor.at(after.time_s) is after


def test_nothing_is_told_outside_of_the_readings_or_across_a_long_gap(stand: Stand, temperature: Sensor) -> None:
    with pytest.raises(StaleReading, match="none after it"):
        temperature.at(stand.time.now_s)
    first, last = temperature.take(20.0, 1_000_000), temperature.take(21.0, 9_000_000)
    with pytest.raises(StaleReading, match="none before it"):
        temperature.at(first.time_s - 0.001)
    with pytest.raises(StaleReading, match="none after it"):
        temperature.at(last.time_s + 0.001)
    with pytest.raises(StaleReading, match="8 s apart"):
        temperature.at(first.time_s + 1)
    assert temperature.at(first.time_s + 1, within_s=10).value == pytest.approx(20.125)


@pytest.mark.parametrize("value", [None, "warm", True, [1, 2], float("nan"), float("inf")])
def test_what_is_no_number_is_an_error(temperature: Sensor, value: object) -> None:
    with pytest.raises(BridgeError, match="temperature has no value"):
        temperature.take(value, 5)


def test_a_bridge_gives_the_same_sensor_with_its_readings(stand: Stand, temperature: Sensor) -> None:
    assert stand.bridge.sensor("temperature") is temperature
    assert repr(temperature) == "<Sensor 'temperature' in degC>"
