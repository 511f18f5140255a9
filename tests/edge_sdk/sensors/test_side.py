"""Rules on the board's own pins, and on pins and a microcontroller at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pin_rig import Rig
from stand import Stand

from edge_sdk.errors import RuleError
from edge_sdk.sensors import Service, read_rules
from edge_sdk.sensors.record import Record
from edge_sdk.sensors.side import Sides
from firmware_bridge.error import BridgeTimeout, UnknownName

COLD = """
pins = "pins.json"
[allow]
outputs = ["heater"]
[rule.cold]
when = { sensor = "temperature", below = 20, rearm_above = 22 }
set = { heater = 1 }
"""
BOTH = (
    COLD.replace('"heater"', '"heater", "lamp"')
    + """
[rule.warm]
when = { sensor = "temperature", above = 30 }
set = { lamp = 1 }
[rule.dark]
when = { sensor = "light", below = 1000 }
say = "Dark."
"""
)


class Run:
    """A service on pins, and on a stage where one is given; both on one clock."""

    def __init__(self, rig: Rig, path: Path, text: str, *, act: bool = True, stand: Stand | None = None) -> None:
        path.write_text(text)
        self.rig, self.stand, self.told = rig, stand, list[Record]()
        self.rig.pins.lease.tick()
        sides = Sides([self.rig.pins, *([stand.bridge] if stand else [])])
        self.service = Service(
            read_rules(path), sides, self.told.append, act=act, heartbeat=self.rig.heartbeat, clock=self.rig.clock,
            sleep=self.sleep,
        )  # fmt: skip

    def sleep(self, seconds: float) -> None:
        self.rig.run_s(seconds)
        if self.stand is not None:
            self.stand.run(max(0.0, self.rig.now_s - self.stand.time.now_s))
            self.rig.now_s = self.stand.time.now_s

    def run(self, seconds: float, value: float | None = None) -> None:
        if value is not None:
            self.rig.sensor.value = value
        for _ in range(round(seconds / 0.1)):
            self.service.step()
            self.sleep(0.1)

    def of(self, kind: str) -> list[str]:
        return [record.text for record in self.told if record.kind == kind]


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    """Give a function that opens pins with parts that record."""
    made: list[Rig] = []

    def make(**settings: Any) -> Rig:
        made.append(Rig(**settings))
        return made[-1]

    yield make
    for each in made:
        each.pins.close()


@pytest.fixture
def begin(rig: Callable[..., Rig], tmp_path: Path) -> Callable[..., Run]:
    def make(text: str, *, act: bool = True, stand: Stand | None = None) -> Run:
        return Run(rig(dry_run=not act), tmp_path / "rules.toml", text, act=act, stand=stand)

    return make


def test_rules_read_and_set_the_boards_own_pins(begin: Callable[..., Run]) -> None:
    run = begin(COLD)
    run.run(1, 25.0)
    assert run.rig.heater.written == [0]
    run.run(1, 19.0)
    assert run.rig.heater.written[-1] == 1
    assert run.of("action") == ["cold: set heater to 1"]
    run.service.close()
    assert run.rig.heater.written[-1] == 0


def test_a_dry_run_on_pins_sets_nothing_and_tells_what_it_would_set(begin: Callable[..., Run]) -> None:
    run = begin(COLD, act=False)
    run.run(1, 19.0)
    run.service.close()
    assert run.rig.heater.written == [0]
    assert run.of("action") == ["cold: would set heater to 1"]


def test_an_output_of_the_pins_goes_back_when_its_time_is_over(begin: Callable[..., Run]) -> None:
    run = begin(COLD.replace("heater = 1", "heater = { value = 1, for_s = 0.5 }"))
    run.run(0.3, 19.0)
    assert run.rig.heater.written[-1] == 1
    run.run(0.5)
    assert run.rig.heater.written[-1] == 0


def test_a_service_that_stood_still_is_told_and_sets_again_what_holds(begin: Callable[..., Run]) -> None:
    run = begin(COLD)
    with run.rig.heartbeat.working():
        run.run(1, 19.0)
        run.rig.run_s(2.0)
        assert run.rig.heater.written[-1] == 0
        run.run(2)  # the lease is renewed at the keeper's next turn, and what was refused before is tried again
    assert run.of("problem")[0] == "the board went without a lease for a while; its outputs are safe, rules begin anew"
    assert run.rig.heater.written[-1] == 1


def test_a_chip_that_does_not_answer_is_told_and_the_pins_are_not_taken_for_gone(begin: Callable[..., Run]) -> None:
    run = begin(COLD)
    run.rig.sensor.broken = True
    run.run(5)
    assert run.of("problem") == ["temperature: temperature cannot be read."]


def test_pins_that_a_signal_closed_end_the_service_that_it_ends_too(begin: Callable[..., Run]) -> None:
    run = begin(COLD)

    def sleep(seconds: float) -> None:
        run.rig.pins.close()
        run.service.stop()

    run.service._sleep = sleep
    run.service.run(10)
    assert run.rig.heater.written[-1] == 0


def test_rules_on_timers_alone_take_nothing_for_gone(begin: Callable[..., Run]) -> None:
    run = begin('[rule.tick]\nevery_s = 2\nsay = "Tick."\n')
    run.run(5)
    assert run.of("note") == ["Tick."] * 3
    assert run.of("problem") == []


@pytest.fixture
def both(begin: Callable[..., Run], stand: Callable[..., Stand]) -> Run:
    return begin(BOTH, stand=stand("sim://stage", allow=("lamp",)))


def test_a_sensor_on_the_pins_sets_an_output_on_the_microcontroller(both: Run) -> None:
    both.run(1, 31.0)
    assert both.stand is not None
    assert both.stand.bridge.output("lamp").value == 1
    both.run(1, 19.0)
    assert both.rig.heater.written[-1] == 1
    assert both.of("action") == ["warm: set lamp to 1", "cold: set heater to 1"]
    assert [each["sensor"] for each in both.told[-1].data["readings"]] == ["temperature", "light"]


def test_a_microcontroller_that_restarts_has_only_the_rules_on_it_begin_anew(both: Run) -> None:
    both.run(1, 31.0)
    both.run(1, 19.0)
    assert both.stand is not None
    both.stand.device.restart()
    both.run(3)
    assert any("restarted" in text for text in both.of("problem"))
    assert both.of("note") == ["Dark.", "Dark."]
    assert both.of("action").count("cold: set heater to 1") == 1


def test_a_microcontroller_that_is_gone_leaves_rules_on_the_pins_at_work(
    both: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    both.run(1, 25.0)
    assert both.stand is not None
    stood = both.stand

    def away(*_: object, **__: object) -> None:
        stood.time.now_s += 0.5
        raise BridgeTimeout("Reading it: no answer.")

    monkeypatch.setattr(stood.bridge.sensor("light"), "read", away)
    both.run(2)
    assert "the microcontroller does not answer; its outputs go safe by themselves" in both.of("problem")
    both.run(1, 19.0)
    assert both.rig.heater.written[-1] == 1


def test_an_output_of_a_microcontroller_that_is_away_is_not_tried_while_the_pins_wait(
    both: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    both.run(1, 25.0)
    assert both.stand is not None
    stood, tried = both.stand, list[str]()

    def away(*_: object) -> None:
        raise BridgeTimeout("Renewing the lease: no answer.")

    with monkeypatch.context() as patch:
        patch.setattr(stood.bridge.lease, "_renew", away)
        patch.setattr(stood.bridge, "output", tried.append)
        patch.setattr(stood.bridge, "stop", lambda: tried.append("stop"))
        both.run(1.5)
        both.run(3, 31.0)
        assert both.of("problem") == ["warm: could not set lamp to 1: the lease of the microcontroller has run out."]
        both.run(1, 19.0)
        assert both.rig.heater.written[-1] == 1
        both.service.close()
        assert tried == []
    assert both.rig.heater.written[-1] == 0


def test_a_move_is_not_asked_after_while_its_microcontroller_is_away(
    begin: Callable[..., Run], stand: Callable[..., Stand], monkeypatch: pytest.MonkeyPatch
) -> None:
    stood = stand("sim://stage", allow=("x",))
    run = begin('[allow]\naxes = ["x"]\n[rule.home]\nevery_s = 1000\nhome = "x"\n', stand=stood)
    run.run(0.3)
    with monkeypatch.context() as patch:
        patch.setattr(type(stood.bridge.lease), "held", False)
        patch.setattr(stood.bridge._session, "read_of", lambda *_: pytest.fail("it was waited for"))
        run.run(2)
    run.run(20)
    assert run.of("action") == ["home: move x home", "home: Homing x: done"]


@pytest.mark.parametrize(("allowed", "actions"), [("", []), (", max_age_s = 4", ["cold: set heater to 1"])])
def test_a_chip_that_measures_for_seconds_is_gone_by_where_its_rule_allows_for_that(
    allowed: str, actions: list[str], begin: Callable[..., Run]
) -> None:
    run = begin(COLD.replace("rearm_above = 22", f"rearm_above = 22{allowed}"))
    run.rig.sensor.age = lambda: (1_700_000, 800_000)  # a light sensor in the dark
    run.run(3, 19.0)
    assert run.of("action") == actions
    assert bool(run.of("problem")) == (not actions)


def test_a_name_on_both_sides_is_not_guessed_at(rig: Callable[..., Rig], stand: Callable[..., Stand]) -> None:
    with pytest.raises(RuleError, match="both have fan, heater, temperature") as caught:
        Sides([rig().pins, stand().bridge])
    assert "other names" in str(caught.value.fix)


def test_a_name_that_is_nowhere_is_told(rig: Callable[..., Rig], begin: Callable[..., Run]) -> None:
    sides = Sides([rig().pins])
    for ask in (sides.sensor, sides.output, sides.axis):
        with pytest.raises(UnknownName, match="The pins have no"):
            ask("wind")
    with pytest.raises(RuleError, match="there is no axis 'x': there is none at all"):
        begin(COLD + '[rule.home]\nevery_s = 9\nhome = "x"\n')


@pytest.mark.parametrize(
    ("head", "bridge", "pins"),
    [
        ("", "auto", ""),
        ('pins = "pins.json"', "", "FOLDER/pins.json"),
        ('pins = "/etc/pins.json"\nbridge = "sim://"', "sim://", "/etc/pins.json"),
    ],
)
def test_a_file_names_a_microcontroller_or_pins_beside_itself_or_both(
    head: str, bridge: str, pins: str, tmp_path: Path
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(f'{head}\n[rule.tick]\nevery_s = 2\nsay = "Tick."\n')
    found: Any = read_rules(path)
    assert (found.bridge, found.pins) == (bridge, pins.replace("FOLDER", str(tmp_path)))
