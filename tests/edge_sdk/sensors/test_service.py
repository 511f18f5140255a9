from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from service_run import ALLOW, Run, Told
from stand import Stand

from edge_sdk.errors import RuleError
from edge_sdk.sensors import Service, read_rules
from edge_sdk.sensors.side import Sides
from firmware_bridge.error import BridgeError, BridgeTimeout

WARM = """
[rule.warm]
when = { sensor = "temperature", above = 37.0, rearm_below = 36.7 }
set = { heater = 0 }
say = "Warm enough."
"""


def test_the_heater_keeps_the_incubator_within_its_band(begin: Callable[..., Run]) -> None:
    run = begin(ALLOW + WARM)
    run.run(25)
    course = []
    for _ in range(60):
        run.run(0.5)
        course.append(run.stand.device.world.air_c)  # type: ignore[attr-defined]
    assert 35.0 < min(course) < max(course) < 38.0
    assert "cold: set heater to 1 for 6 s" in run.told.of("action")
    assert "warm: set heater to 0" in run.told.of("action")
    assert "Warm enough." in run.told.of("note")
    assert not run.told.of("problem")


def test_a_dry_run_sets_nothing_and_tells_what_it_would_set(begin: Callable[..., Run]) -> None:
    run = begin(ALLOW + WARM, act=False)
    run.run(10)
    assert run.heater() == 0
    assert run.told.of("action") == ["cold: would set heater to 1 for 6 s"] * 3
    assert [action.value for action in run.stand.bridge.actions] == [1] * 3
    assert all(record.data["dry"] for record in run.told if record.kind == "action")


def test_what_the_file_does_not_allow_is_refused_before_anything_starts(
    stand: Callable[..., Stand], tmp_path: Path
) -> None:
    with pytest.raises(RuleError, match="heater is not allowed"):
        Run(stand(), tmp_path / "rules.toml", ALLOW.replace('"heater", ', ""))


def test_a_timed_rule_comes_at_once_and_then_every_so_often(begin: Callable[..., Run]) -> None:
    run = begin('[rule.tick]\nevery_s = 2\nsay = "Tick."\n')
    run.run(9)
    times = [record.time_s for record in run.told if record.text == "Tick."]
    assert len(times) == 5
    assert all(1.9 < later - time < 2.2 for time, later in itertools.pairwise(times))


def test_readings_are_told_together_and_as_often_as_the_file_says(begin: Callable[..., Run]) -> None:
    text = "readings_every_s = 3\n" + ALLOW + '[rule.door]\nwhen = { sensor = "door", above = 0.5 }\nsay = "Open."\n'
    run = begin(text, act=False)
    run.run(8)
    told = [record for record in run.told if record.kind == "reading"]
    assert len(told) == 3
    assert [each["sensor"] for each in told[0].data["readings"]] == ["temperature", "door"]
    assert told[0].data["missing"] == []


def test_a_microcontroller_that_restarts_is_told_and_what_still_holds_is_set_again(begin: Callable[..., Run]) -> None:
    run = begin(ALLOW.replace("every_s = 4\n", "").replace(", for_s = 6", ""))
    run.run(3)
    assert run.heater() == 1
    run.stand.device.restart()
    assert run.heater() == 0
    run.run(6)
    assert any("restarted; its outputs are safe" in text for text in run.told.of("problem"))
    assert run.heater() == 1


def test_outputs_are_safe_at_the_end(begin: Callable[..., Run]) -> None:
    run = begin(ALLOW)
    run.service.run(2.0)
    assert "cold: set heater to 1 for 6 s" in run.told.of("action")
    assert run.heater() == 0


def test_a_rule_that_stands_still_lets_its_outputs_go(begin: Callable[..., Run]) -> None:
    run = begin(ALLOW)
    with run.stand.heartbeat.working():
        run.run(2)
        assert run.heater() == 1
        run.stand.run(3.0)
        assert run.heater() == 0
        run.run(3)
    assert any("went without a lease" in text for text in run.told.of("problem"))
    assert run.heater() == 1


class Flaky:
    """A bridge whose sensors do not answer while it is away, or give null."""

    def __init__(self, stand: Stand) -> None:
        self._bridge = stand.bridge
        self._time = stand.time
        self.away = False
        self.broken = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bridge, name)

    def sensor(self, name: str) -> Any:
        found, flaky = self._bridge.sensor(name), self

        class Sensor:
            unit = found.unit

            def __init__(self) -> None:
                self.name = name

            def read(self, *, timeout_s: float = 1.0) -> Any:
                if flaky.away:
                    flaky._time.now_s += timeout_s
                    raise BridgeTimeout("Reading it: no answer.")
                if flaky.broken == name:
                    raise BridgeError(f"{name} has no value.")
                return found.read(timeout_s=timeout_s)

        return Sensor()


def test_a_sensor_that_does_not_answer_is_told_and_rules_on_others_go_on(
    stand: Callable[..., Stand], tmp_path: Path
) -> None:
    stood = stand("sim://incubator?pace=40")
    bridge = Flaky(stood)
    bridge.broken = "temperature"
    path, told = tmp_path / "rules.toml", Told()
    path.write_text(
        '[rule.cold]\nwhen = { sensor = "temperature", below = 36 }\nsay = "Cold."\n'
        '[rule.moist]\nwhen = { sensor = "humidity", above = 50 }\nsay = "Moist."\n'
    )
    service = Service(
        read_rules(path), Sides([bridge]), told.append, heartbeat=stood.heartbeat, clock=stood.time, sleep=stood.run  # type: ignore[list-item]
    )  # fmt: skip
    for _ in range(60):
        service.step()
        stood.run(0.1)
    assert told.of("problem") == ["temperature: temperature has no value."]
    assert told.of("note") == ["Moist."]
    assert told.of("reading")[-1].startswith("temperature unknown, humidity")


def test_a_bridge_that_is_gone_is_told_once_and_rules_begin_anew_when_it_is_back(
    stand: Callable[..., Stand], tmp_path: Path
) -> None:
    stood = stand("sim://incubator?pace=40", allow=("heater",))
    bridge = Flaky(stood)
    path = tmp_path / "rules.toml"
    path.write_text(ALLOW.replace('"heater", "fan", "lamp"', '"heater"').replace("every_s = 4\n", ""))
    told = Told()
    service = Service(
        read_rules(path), Sides([bridge]), told.append, act=True, heartbeat=stood.heartbeat, clock=stood.time,  # type: ignore[list-item]
        sleep=stood.run,
    )  # fmt: skip
    for bridge.away, steps in ((False, 5), (True, 20), (False, 5)):
        for _ in range(steps):
            service.step()
            stood.run(0.1)
    assert told.of("problem") == [
        "bridge: the microcontroller does not answer; its outputs go safe by themselves".removeprefix("bridge: "),
        "temperature: Reading it: no answer.",
    ]
    assert [text for text in told.of("note") if "answers again" in text]
    assert len(told.of("action")) == 2


def test_a_move_is_told_when_it_begins_and_when_it_has_ended(begin: Callable[..., Run]) -> None:
    text = '[allow]\naxes = ["x"]\n[rule.home]\nevery_s = 1000\nhome = "x"\n'
    run = begin(text, "sim://stage")
    run.run(20)
    assert run.told.of("action")[0] == "home: move x home"
    assert "done" in run.told.of("action")[1]


# Questions
