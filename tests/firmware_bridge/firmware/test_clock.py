"""Time that is whole where counters wrap."""

from __future__ import annotations

import random

import pytest

from firmware_bridge.firmware.clock import Clock


@pytest.mark.parametrize("bits", [30, 32, 62])
def test_time_goes_on_over_every_wrap_of_the_counter(bits):
    now_us = (1 << bits) - 5_000_000
    mask = (1 << bits) - 1
    clock = Clock(lambda: now_us & mask)
    dice = random.Random(1)
    begun_us = now_us
    for _ in range(3000):
        step_us = dice.choice((0, 1, 999, 65_535, 1_000_000, 900_000_000))
        now_us += step_us
        assert clock.tick() == step_us
        assert clock.now() == (now_us - begun_us) & 0xFFFFFFFF


def test_it_wraps_at_32_bits(bench):
    from firmware_bridge.wire import number

    for _ in range(5):
        bench.clock.now_us += 1_000_000_000
        bench.server.poll()
    assert bench.ask(number.CLOCK) == {"t": 5_000_000_000 - (1 << 32)}
