from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from stand import Stand

from firmware_bridge.error import BridgeError, Refused, StaleReading
from firmware_bridge.firmware import group_edge
from firmware_bridge.link.lane import Answer
from firmware_bridge.part.sensor import Sensor
from firmware_bridge.wire import number


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


class Slow:
    """The firmware's temperature as a chip gives it that measures for 750 ms, now and then."""

    def __init__(self, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stand, self.measured_s = stand, stand.time.now_s - 0.5
        assert stand.device._server is not None
        monkeypatch.setattr(stand.device._server.machine.parts.sensors["temperature"], "age", self)

    def __call__(self) -> tuple[int, int]:
        return round((self.stand.time.now_s - self.measured_s) * 1e6), 375_000


def test_a_reading_is_of_when_the_chip_measured(
    stand: Stand, temperature: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(stand, monkeypatch)
    for passes_s in (0, 0.7, 0.6):
        stand.run(passes_s)
        reading = temperature.read()
        assert abs(reading.time_s - slow.measured_s) <= reading.uncertainty_s - 0.375
        assert 0.375 <= reading.uncertainty_s < 0.4
    for reading in islice(temperature.stream(0.1), 20):
        assert abs(reading.time_s - slow.measured_s) <= reading.uncertainty_s - 0.375
        assert 0.375 <= reading.uncertainty_s < 0.4


def test_what_was_measured_too_long_ago_is_not_the_latest_though_it_was_read_just_now(
    stand: Stand, temperature: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(stand, monkeypatch)
    stand.run(2)
    with pytest.raises(StaleReading, match=r"of the last 2 s(.|\n)*The newest is 2\.5"):
        temperature.latest(2)
    slow.measured_s = stand.time.now_s - 0.4
    assert temperature.latest(2).time_s == pytest.approx(slow.measured_s, abs=0.01)
    stand.run(1.4)  # it was measured between 1.4 and 2.2 s ago
    with pytest.raises(StaleReading, match=r"The newest is 1\.8 s old, give or take 0\.3[78] s"):
        temperature.latest(2)
    assert temperature.latest(2.5).time_s == pytest.approx(slow.measured_s, abs=0.01)


def test_a_value_is_interpolated_between_the_moments_of_measurement(temperature: Sensor) -> None:
    before = temperature.take(20.0, 2_000_000, within_us=1000, age_us=1_000_000)
    after = temperature.take(21.0, 2_200_000, age_us=800_000)
    assert after.time_s - before.time_s == pytest.approx(0.4)
    middle = temperature.at(before.time_s + 0.1)
    assert middle.value == pytest.approx(20.25)
    assert middle.uncertainty_s == before.uncertainty_s


def test_firmware_that_knows_no_age_is_taken_at_its_word(
    stand: Stand, temperature: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, rows = group_edge.read_value, group_edge.readings
    for old, names in ((answered, ("age", "within")), (rows, ("within",))):
        command = {answered: number.READ_VALUE, rows: number.READINGS}[old]

        def without(device: Any, body: Any, old: Any = old, names: Any = names) -> Any:
            return {key: value for key, value in old(device, body).items() if key not in names}

        monkeypatch.setitem(group_edge.COMMANDS, command, (*group_edge.COMMANDS[command][:3], without))
    reading = temperature.read()
    assert abs(reading.time_s - stand.time.now_s) <= 0.01
    assert all(reading.uncertainty_s < 0.01 for reading in islice(temperature.stream(0.1), 5))


@pytest.mark.parametrize("told", [{"age": "old"}, {"age": 1.5}, {"within": None}])
def test_an_age_that_is_no_number_is_an_error(
    temperature: Sensor, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    body = {"value": 21.0, "t": 5, **told}
    monkeypatch.setattr(temperature, "_ask", lambda name, timeout_s: Answer(body, 0.0, 0.0, 1))
    with pytest.raises(BridgeError, match="temperature has no value"):
        temperature.read()


@pytest.mark.parametrize("value", [None, "warm", True, [1, 2], float("nan"), float("inf")])
def test_what_is_no_number_is_an_error(temperature: Sensor, value: object) -> None:
    with pytest.raises(BridgeError, match="temperature has no value"):
        temperature.take(value, 5)


@pytest.mark.parametrize("period_s", [-1, float("nan"), float("inf")])
def test_a_period_that_is_none_is_refused(temperature: Sensor, period_s: float) -> None:
    with pytest.raises(Refused, match="temperature cannot be read every"):
        next(temperature.stream(period_s))


def test_a_bridge_gives_the_same_sensor_with_its_readings(stand: Stand, temperature: Sensor) -> None:
    assert stand.bridge.sensor("temperature") is temperature
    assert repr(temperature) == "<Sensor 'temperature' in degC>"
