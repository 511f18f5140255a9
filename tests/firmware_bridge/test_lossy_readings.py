"""Readings over a line that loses, on a clock of its own: all come through where the line could carry them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from stand import Stand

from firmware_bridge.reading import Reading
from firmware_bridge.simulation.fault import Faults


def counting(seed: int, period_s: float, loss: float) -> Stand:
    """Have a stand whose temperature is how often it was read, behind a line that loses such a share of its lines."""
    stand = Stand(f"sim://incubator?seed={seed}").open()
    assert stand.device._server is not None
    sensor = stand.device._server.machine.parts.sensors["temperature"]
    sensor.entry["period_us"] = round(period_s * 1e6)
    count = itertools.count()
    sensor.read = lambda: next(count)
    for line in (stand.device.faults.to_device, stand.device.faults.to_host):
        line.faults = Faults(drop=loss)
    return stand


def streamed(stand: Stand, period_s: float) -> Iterator[Reading]:
    due_s = 0.0
    for reading in stand.bridge.sensor("temperature").stream(period_s):
        if stand.time.now_s >= due_s:
            due_s = stand.time.now_s + 0.2
            stand.bridge.lease.tick()
        yield reading


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("loss", "period_s"), [(0.01, 0.001), (0.05, 0.001), (0.1, 0.002), (0.2, 0.01)])
def test_all_come_through_a_line_that_loses_one_in_so_many(seed: int, loss: float, period_s: float) -> None:
    stand = counting(seed, period_s, loss)
    readings = list(itertools.islice(streamed(stand, period_s), 2000))
    assert [reading.value for reading in readings] == list(range(2000))
    assert not any(reading.missed for reading in readings)
    assert stand.bridge.statistics.retransmits > 0
    stand.close()


@pytest.mark.parametrize("seed", range(3))
def test_what_a_line_cannot_carry_is_told_to_be_missed(seed: int) -> None:
    stand = counting(seed, 0.001, 0.3)
    readings = list(itertools.islice(streamed(stand, 0.001), 1000))
    for before, after in itertools.pairwise(readings):
        assert after.value - before.value == 1 + after.missed
    assert sum(reading.missed for reading in readings) > 0
    stand.close()
