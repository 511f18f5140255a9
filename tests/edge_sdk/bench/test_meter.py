from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from boards.telemetry import EnergyReading
from edge_sdk.bench.meter import Meter


class Source:
    """Stands for what tells of power: gives its readings one after the other, the last one for ever."""

    def __init__(self, readings: Iterable[EnergyReading], source: str = "VDD_IN") -> None:
        *first, last = readings
        self._readings = itertools.chain(first, itertools.repeat(last))
        self.source = source
        self.closed = False

    def read(self) -> EnergyReading:
        return next(self._readings)

    def close(self) -> None:
        self.closed = True


def meter(readings: Iterable[EnergyReading], source: str = "VDD_IN", step_s: float = 2.0) -> Meter:
    ticks = itertools.count()
    told: Any = Source(readings, source)
    return Meter(told, clock=lambda: next(ticks) * step_s)


def watts(value: float | None) -> EnergyReading:
    return EnergyReading(value, None, None)


def joules(value: float | None, wraps_at_j: float | None = 1000.0) -> EnergyReading:
    return EnergyReading(None, value, wraps_at_j)


def test_power_times_time_is_energy() -> None:
    with meter([watts(5.0)]) as found, found.running():
        pass
    assert found.found(4) == {"power": 5.0, "energy_token": 2.5}


def test_several_stretches_are_added_up() -> None:
    with meter([watts(5.0)]) as found:
        for _ in range(3):
            with found.running():
                pass
    assert found.found(10) == {"power": 5.0, "energy_token": 3.0}


@pytest.mark.parametrize(("first", "last", "energy_j"), [(10.0, 16.0, 6.0), (998.0, 4.0, 6.0)])
def test_a_counter_tells_by_its_difference_also_where_it_began_again(
    first: float, last: float, energy_j: float
) -> None:
    found = meter([joules(first), joules(last)])
    with found.running():
        pass
    assert found.found(1) == {"power": energy_j / 2, "energy_token": energy_j}


def test_a_counter_that_went_back_for_no_known_reason_tells_nothing() -> None:
    found = meter([joules(10, None), joules(4, None)])
    with found.running():
        pass
    assert found.found(1) == {}


@pytest.mark.parametrize("readings", [[watts(None)], [joules(None)], [joules(1), joules(None)]])
def test_what_is_not_told_is_not_made_up(readings: list[EnergyReading]) -> None:
    found = meter(readings)
    with found.running():
        pass
    assert found.found(1) == {}


def test_a_machine_without_a_source_is_not_asked() -> None:
    found = meter([watts(5.0)], source="")
    with found.running():
        pass
    assert found.found(1) == {}


def test_the_source_is_closed_at_the_end() -> None:
    told: Any = Source([watts(1.0)])
    with Meter(told):
        pass
    assert told.closed
