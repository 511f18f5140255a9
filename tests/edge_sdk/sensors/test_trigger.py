from __future__ import annotations

import itertools
import logging
import math
import random
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
from stand import Stand

import edge_sdk as edge
from edge_sdk.errors import TriggerError
from edge_sdk.sensors.trigger import Limits, Readable, Trigger
from firmware_bridge.error import BridgeClosed, BridgeTimeout
from firmware_bridge.reading import Reading


class Probe:
    """A sensor that gives what it was told to: a value, None for nothing to be had, or an error."""

    name, unit = "temperature", "degC"

    def __init__(self, values: Sequence[float | Exception | None] = ()) -> None:
        self.now_s = 100.0
        self._values = iter(values)

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def read(self, *, timeout_s: float = 1.0) -> Reading:
        value = next(self._values)
        if isinstance(value, Exception):
            raise value
        if value is None:
            raise BridgeTimeout("Nothing came.")
        return self.reading(value)

    def reading(self, value: float, *, age_s: float = 0.0) -> Reading:
        return Reading(self.name, value, self.unit, self.now_s - age_s, 0.001)


def told(trigger: Trigger, probe: Probe, values: Sequence[float | None], step_s: float = 1.0) -> list[str | None]:
    kinds = []
    for value in values:
        probe.sleep(step_s)
        event = trigger.update(None if value is None else probe.reading(value))
        kinds.append(event.kind if event else None)
    return kinds


def trigger_of(probe: Probe, **limits: float) -> Trigger:
    return Trigger(probe, clock=probe.clock, sleep=probe.sleep, **limits)


def test_it_fires_once_until_it_has_come_back_far_enough() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38.0, rearm_below=37.0)
    values = [37.9, 38.0, 38.1, 39.0, 37.5, 38.5, 37.0, 36.9, 38.1]
    assert told(trigger, probe, values) == [None, None, "fired", None, None, None, None, "rearmed", "fired"]


def test_it_fires_below_too_and_arms_again_above() -> None:
    probe = Probe()
    trigger = trigger_of(probe, below=10.0, rearm_above=12.0)
    assert told(trigger, probe, [11, 9, 11, 9, 12.5, 9]) == [None, "fired", None, None, "rearmed", "fired"]


def test_a_band_arms_again_between_both_limits_alone() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38, below=36, rearm_below=37.5, rearm_above=36.5)
    values = [37, 38.5, 35, 36.2, 37.8, 37, 35]
    assert told(trigger, probe, values) == [None, "fired", None, None, None, "rearmed", "fired"]


def test_a_value_has_to_stay_beyond_the_limit_for_its_time() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38, for_s=2.5)
    assert told(trigger, probe, [39, 39, 37, 39, 39, 39, 39]) == [None, None, None, None, None, None, "fired"]


def test_what_was_not_seen_was_not_held() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38, for_s=2.5, max_age_s=1.5)
    assert told(trigger, probe, [39, 39]) == [None, None]
    probe.sleep(30)
    assert told(trigger, probe, [39, 39, 39, 39]) == [None, None, None, "fired"]


def test_a_missing_reading_is_told_once_and_neither_fires_nor_arms() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38, rearm_below=37)
    assert told(trigger, probe, [39, None, None, 37.5, 36, None, 39]) == [
        "fired", "blind", None, "seeing", "rearmed", "blind", "fired",
    ]  # fmt: skip


def test_an_old_reading_neither_fires_nor_arms_and_says_how_old_it_is() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38, rearm_below=37, max_age_s=2.0)
    event = trigger.update(probe.reading(40, age_s=5))
    assert event is not None
    assert (event.kind, event.reading) == ("blind", None)
    assert "5 s old" in event.text
    assert told(trigger, probe, [40]) == ["fired"]
    assert trigger.update(probe.reading(30, age_s=2.5)) is not None
    assert not trigger.armed


def test_a_reading_that_may_be_old_for_all_that_is_known_is_none() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38, max_age_s=2.0)
    event = trigger.update(Reading("temperature", 40, "degC", probe.now_s, 2.5))
    assert event is not None
    assert "known to 2.5 s only" in event.text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_none_is_no_reading(value: float) -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38)
    assert told(trigger, probe, [value, 39]) == ["blind", "fired"]


def test_a_reading_ahead_of_its_time_does_not_hide_those_after_it() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38)
    event = trigger.update(probe.reading(39, age_s=-1e6))
    assert event is not None
    assert "ahead" in event.text
    assert told(trigger, probe, [39]) == ["fired"]


def test_the_same_reading_again_says_nothing_new() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38)
    reading = probe.reading(39)
    assert trigger.update(reading) is not None
    trigger.reset()
    assert trigger.update(reading) is None


def test_a_reading_from_before_the_last_one_says_nothing_new_unless_their_times_are_not_that_sure() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38)
    unsure = Reading("temperature", 30.0, "degC", probe.now_s + 0.5, 0.8)  # after a restart, of a slow first answer
    assert trigger.update(unsure) is None
    assert trigger.update(Reading("temperature", 39.0, "degC", probe.now_s - 1.0, 0.001)) is None
    event = trigger.update(Reading("temperature", 39.0, "degC", probe.now_s, 0.001))
    assert event is not None
    assert event.kind == "fired"


def test_after_a_reset_it_fires_anew_while_its_condition_holds() -> None:
    probe = Probe()
    trigger = trigger_of(probe, above=38)
    assert told(trigger, probe, [39, 39]) == ["fired", None]
    trigger.reset()
    assert told(trigger, probe, [39]) == ["fired"]


def test_events_give_the_readings_that_fire_and_log_what_cannot_be_seen(caplog: pytest.LogCaptureFixture) -> None:
    values = [37.0, 39.0, *[None] * 30, 39.0, 36.0, 40.0]
    probe = Probe([*values, BridgeClosed("It is closed.")])
    trigger = trigger_of(probe, above=38, rearm_below=37)
    events = trigger.events()
    with caplog.at_level(logging.INFO, "edge_sdk"):
        assert [next(events).value, next(events).value] == [39.0, 40.0]
        with pytest.raises(BridgeClosed):
            next(events)
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "fired", "blind", "seeing", "rearmed", "fired",
    ]  # fmt: skip


def test_one_reading_that_does_not_come_is_not_yet_told() -> None:
    probe = Probe([37.0, None, 39.0])
    trigger = trigger_of(probe, above=38)
    kinds = []
    for _ in range(3):
        event = trigger.look()
        kinds.append(event.kind if event else None)
        probe.sleep(0.1)
    assert kinds == [None, None, "fired"]


def test_whatever_is_read_it_never_fires_twice_without_arming_between() -> None:
    dice = random.Random(5)
    probe = Probe()
    trigger = trigger_of(probe, above=38, rearm_below=37, for_s=0.2)
    values = [dice.choice([None, math.nan, dice.uniform(30, 45)]) for _ in range(5000)]
    kinds = [kind for kind in told(trigger, probe, values, 0.3) if kind in ("fired", "rearmed")]
    assert len(kinds) > 100
    assert all(one != other for one, other in itertools.pairwise(kinds))
    assert kinds[0] == "fired"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "no limit"),
        ({"rearm_below": 1}, "no limit"),
        ({"above": "38"}, "'38'"),
        ({"above": True}, "True"),
        ({"above": math.nan}, "nan"),
        ({"above": 38, "rearm_below": 39}, "rearm_below is 39"),
        ({"below": 10, "rearm_above": 9}, "rearm_above is 9"),
        ({"above": 38, "rearm_above": 37}, "without below"),
        ({"above": 36, "below": 38}, "nothing between"),
        ({"above": 38, "for_s": -1}, "for_s is -1"),
    ],
)
def test_limits_that_can_never_be_are_refused(limits: dict[str, float], said: str) -> None:
    with pytest.raises(TriggerError, match=said):
        Limits(**limits)


def test_the_heater_is_switched_off_by_the_readme_s_own_loop(stand: Callable[..., Stand]) -> None:
    stood = stand("sim://incubator?pace=60", allow=("heater",))
    bridge = stood.bridge
    bridge.output("heater").on()
    temperature = bridge.sensor("temperature")
    trigger = edge.Trigger(temperature, above=38.0, rearm_below=37.0, clock=stood.time, sleep=stood.run)
    fired: list[float] = []
    for reading in trigger.events():
        bridge.output("heater").off()
        fired.append(reading.value)
        break
    assert 38.0 < fired[0] < 39.5
    assert bridge.output("heater").value == 0


def test_a_sensor_needs_no_more_than_a_name_and_a_way_to_read_it() -> None:
    probe: Readable = Probe([1.0])
    assert "armed" in repr(Trigger(probe, above=0))


def test_a_trigger_alone_loads_neither_numpy_nor_a_database() -> None:
    heavy = "('numpy', 'cv2', 'sqlite3', 'serial')"
    code = f"import sys, edge_sdk; edge_sdk.Trigger; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
