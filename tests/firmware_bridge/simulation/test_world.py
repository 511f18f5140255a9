from __future__ import annotations

import pytest

from firmware_bridge.simulation.incubator import Incubator
from firmware_bridge.simulation.stage import Stage, StageAxis


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def warmed(seed: int = 1, *, seconds: int = 3600, heater: float = 0.5, step_s: float = 10.0) -> tuple[Clock, Incubator]:
    clock = Clock()
    incubator = Incubator(clock, seed)
    incubator.outputs()["heater"][1](heater)
    for _ in range(int(seconds / step_s)):
        clock.now_s += step_s
        incubator.sensors()["temperature"][1]()
    return clock, incubator


def test_the_heater_warms_and_without_it_all_cools_to_the_room() -> None:
    clock, incubator = warmed()
    assert 30 < incubator.air_c < 22 + 0.5 * 60 / 1.3
    incubator.outputs()["heater"][1](0)
    clock.now_s += 50_000
    assert incubator.sensors()["temperature"][1]() == pytest.approx(22, abs=0.3)


def test_what_a_step_of_the_clock_is_does_not_change_the_physics() -> None:
    assert warmed(step_s=1)[1].air_c == pytest.approx(warmed(step_s=60)[1].air_c, abs=0.2)


def test_the_sensor_lags_behind_the_air_and_is_noisy() -> None:
    incubator = warmed(seconds=300, heater=1.0)[1]
    read = incubator.sensors()["temperature"][1]
    values = [read() for _ in range(50)]
    assert len(set(values)) > 5
    assert sum(values) / 50 < incubator.air_c - 0.05


def test_the_same_seed_gives_the_same_noise_and_the_same_door() -> None:
    def told(seed: int) -> list[float]:
        incubator = warmed(seed)[1]
        return [read() for _, read in incubator.sensors().values() for _ in range(5)]

    assert told(3) == told(3) != told(4)


def test_an_open_door_is_seen_and_cools() -> None:
    clock, incubator = warmed(seconds=2000)
    sensors = incubator.sensors()
    before_c = incubator.air_c
    while not sensors["door"][1]():
        clock.now_s += 1
        before_c = max(incubator.air_c, before_c)
    clock.now_s += 9
    assert sensors["door"][1]() == 1
    assert incubator.air_c < before_c - 0.2


def test_the_air_over_a_dish_grows_moist_and_never_past_saturation() -> None:
    incubator = warmed(seconds=3000)[1]
    assert 60 < incubator.sensors()["humidity"][1]() <= 100


def test_the_light_follows_the_lamp_after_a_moment() -> None:
    clock = Clock()
    stage = Stage(clock, seed=2)
    lamp, light = stage.outputs()["lamp"][1], stage.sensors()["light"][1]
    dark = light()
    lamp(1.0)
    clock.now_s += 0.05
    rising = light()
    clock.now_s += 5
    assert dark < 10 < rising < 600 < light()


def axis(start_um: float = 0.0) -> StageAxis:
    entry = {"least": -100, "most": 100, "um_per_step": 1.0, "backlash": 4}
    made = StageAxis(entry, start_um)
    made.enable(True)
    return made


def go(axis: StageAxis, steps: int) -> float:
    for _ in range(abs(steps)):
        axis.pulse(1 if steps > 0 else -1)
    return axis.slide_um


def test_a_slide_follows_its_motor_but_for_the_play() -> None:
    made = axis()
    assert (go(made, 10), go(made, -4), go(made, -1)) == (8, 8, 7)


def test_the_switch_closes_at_the_lower_end_and_a_hard_end_costs_steps() -> None:
    made = axis()
    go(made, -101)
    assert not made.at_switch()
    go(made, -1)
    assert made.at_switch()
    go(made, -50)
    assert made.slide_um == -104
    assert made.lost_pulses > 0


def test_a_motor_without_current_moves_nothing() -> None:
    made = axis()
    made.enable(False)
    assert go(made, 10) == 0


def test_nobody_knows_where_a_stage_stands_at_first() -> None:
    starts = {Stage(Clock(), seed).axes["x"].slide_um for seed in range(5)}
    assert len(starts) == 5
