from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stand import Stand

from edge_sdk.errors import ModelError, RuleError
from edge_sdk.pipeline import ReadingLine
from edge_sdk.sensors import Service, read_rules
from edge_sdk.sensors.asker import Asker, Opener
from edge_sdk.sensors.record import Record
from edge_sdk.sensors.side import Sides
from firmware_bridge.error import BridgeError, BridgeTimeout

ALLOW = """
[allow]
outputs = ["heater", "fan", "lamp"]
[rule.cold]
when = { sensor = "temperature", below = 36.5, rearm_above = 37.0 }
every_s = 4
set = { heater = { value = 1, for_s = 6 } }
"""
WARM = """
[rule.warm]
when = { sensor = "temperature", above = 37.0, rearm_below = 36.7 }
set = { heater = 0 }
say = "Warm enough."
"""


class Told(list[Record]):
    def of(self, kind: str) -> list[str]:
        return [record.text for record in self if record.kind == kind]


class Run:
    """A service on a stand."""

    def __init__(self, stand: Stand, path: Path, text: str, *, act: bool = True, asker: Asker | None = None) -> None:
        path.write_text(text)
        self.stand, self.told = stand, Told()
        self.service = Service(
            read_rules(path), Sides([stand.bridge]), self.told.append, act=act, asker=asker, heartbeat=stand.heartbeat,
            clock=stand.time, sleep=stand.run,
        )  # fmt: skip

    def run(self, seconds: float) -> None:
        end_s = self.stand.time.now_s + seconds
        while self.stand.time.now_s < end_s:
            self.service.step()
            self.stand.run(0.1)

    def heater(self) -> float:
        return float(self.stand.device.world._set["heater"])  # type: ignore[attr-defined]


@pytest.fixture
def begin(stand: Callable[..., Stand], tmp_path: Path) -> Callable[..., Run]:
    def make(text: str, address: str = "sim://incubator?pace=40&seed=150", *, act: bool = True, **more: Any) -> Run:
        stood = stand(address, allow=("heater", "fan", "lamp", "x"), dry_run=not act)
        return Run(stood, tmp_path / "rules.toml", text, act=act, **more)

    return make


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


class Answer:
    def __init__(self, text: str, told: Any) -> None:
        self.text, self.frames, self.seen, self.finish = text, ("camera#3",), (), "stop"
        self.readings, self.unread, self.timings, self.cancelled = told.readings, told.unread, self, False

    def as_dict(self) -> dict[str, float]:
        return {}

    def cancel(self) -> None:
        self.cancelled = True


class Model:
    """Says what it was asked; fails as often as it was told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.closed, self.loads = failures, False, 0

    def ask(self, prompt: str, frame: object, *, sensors: ReadingLine | None, max_tokens: int | None) -> Answer:
        line = sensors or ReadingLine([])
        return Answer("Nine.", line.before(prompt, [], str.split))

    def load(self) -> Model:
        self.loads += 1
        if self.loads <= self.failures:
            raise ModelError("The model is damaged.", fix="Copy it again.")
        return self

    def close(self) -> None:
        self.closed = True


class Camera:
    def __init__(self) -> None:
        self.closed = False

    def capture(self) -> object:
        return self

    def close(self) -> None:
        self.closed = True


ASK = '[rule.look]\nevery_s = 2\nask = { prompt = "How many?", sensors = ["temperature"] }\n'


def asking(begin: Callable[..., Run], text: str, model: Model, camera: Callable[[], Any] | None) -> tuple[Run, Asker]:
    run = begin(text, act=False)
    stood, told = run.stand, run.told

    def line(sensors: list[object]) -> object:
        return ReadingLine(sensors, stale="mark", clock=stood.time)

    asker = Asker(Opener(model.load, camera, stood.bridge.sensor, line), told.append, stood.time)  # type: ignore[arg-type]
    run.service._asker = asker
    return run, asker


def test_an_answer_names_its_frame_and_the_readings_that_were_told(begin: Callable[..., Run]) -> None:
    run, asker = asking(begin, ASK, Model(), Camera)
    run.service.step()
    assert asker.answer_next()
    record = next(record for record in run.told if record.kind == "answer")
    assert record.text.startswith("look: Nine. (camera#3, temperature 22")
    assert record.data["frames"] == ["camera#3"]
    assert record.data["readings"][0]["name"] == "temperature"
    assert record.data["readings"][0]["uncertainty_s"] >= 0
    assert record.data["question"] == "How many?"


def test_a_question_still_being_answered_is_not_asked_again_and_triggers_go_on(begin: Callable[..., Run]) -> None:
    run, _ = asking(begin, ALLOW + ASK, Model(), Camera)
    run.run(5)
    assert run.told.of("note") == ["look: not asked: an earlier question is still being answered"] * 2
    assert len(run.stand.bridge.actions) == 2


def test_a_model_that_cannot_be_loaded_is_told_and_tried_again(begin: Callable[..., Run]) -> None:
    run, asker = asking(begin, ASK, Model(failures=1), Camera)
    for _ in range(2):
        run.run(2)
        assert asker.answer_next()
    assert run.told.of("problem") == ["look: not answered: The model is damaged."]
    assert next(record.data["fix"] for record in run.told if record.kind == "problem") == "Copy it again."
    assert len(run.told.of("answer")) == 1


def test_a_camera_that_fails_is_told_and_opened_anew(begin: Callable[..., Run]) -> None:
    cameras: list[Camera] = []

    def opened() -> Camera:
        camera = Camera()
        cameras.append(camera)
        if len(cameras) == 1:
            camera.capture = lambda: (_ for _ in ()).throw(ModelError("The camera is frozen."))  # type: ignore[method-assign]
        return camera

    run, asker = asking(begin, ASK, Model(), opened)
    for _ in range(2):
        run.run(2)
        assert asker.answer_next()
    assert run.told.of("problem") == ["look: not answered: The camera is frozen."]
    assert cameras[0].closed
    assert len(run.told.of("answer")) == 1
    asker.close()
    assert cameras[1].closed


def test_even_a_fault_of_a_library_leaves_the_next_question_to_be_asked(begin: Callable[..., Run]) -> None:
    model = Model()
    run, asker = asking(begin, ASK, model, None)
    model.ask = lambda *_, **__: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    run.service.step()
    assert asker.answer_next()
    assert run.told.of("problem") == ["look: not answered: ZeroDivisionError: division by zero"]


def test_closing_ends_the_thread_that_answers_and_lets_go_of_the_model(begin: Callable[..., Run]) -> None:
    model = Model()
    run, asker = asking(begin, ASK, model, None)
    asker.start()
    run.service.step()
    run.service.close()
    run.service.close()
    assert asker._thread is not None
    assert not asker._thread.is_alive()
    assert asker.answer_next(0.0) is False
    assert model.closed or model.loads == 0


def test_a_trigger_fires_while_a_question_is_being_answered(begin: Callable[..., Run]) -> None:
    model, asked, answered = Model(), threading.Event(), threading.Event()

    def ask(*_: object, **__: object) -> Answer:
        asked.set()
        assert answered.wait(30)
        return Answer("Nine.", ReadingLine([]).before("", [], str.split))

    model.ask = ask  # type: ignore[method-assign]
    run, asker = asking(
        begin, ASK + '[rule.moist]\nwhen = { sensor = "humidity", above = 50 }\nsay = "Moist."\n', model, None
    )
    asker.start()
    run.service.step()
    assert asked.wait(30)
    run.run(5)
    assert "Moist." in run.told.of("note")
    assert run.told.of("answer") == []
    answered.set()
    run.service.close()
    assert asker._thread is not None
    assert not asker._thread.is_alive()


def test_an_answer_that_is_being_made_is_ended_with_the_service(begin: Callable[..., Run]) -> None:
    model, asked, cancelled = Model(), threading.Event(), threading.Event()

    class Endless(Answer):
        @property
        def text(self) -> str:  # type: ignore[override]
            asked.set()
            assert cancelled.wait(30)
            return "Nine"

        @text.setter
        def text(self, _: str) -> None:
            pass

        def cancel(self) -> None:
            cancelled.set()

    told = ReadingLine([]).before("", [], str.split)
    model.ask = lambda *_, **__: Endless("", told)  # type: ignore[method-assign]
    run, asker = asking(begin, ASK, model, None)
    asker.start()
    run.service.step()
    assert asked.wait(30)
    run.service.close()
    assert cancelled.is_set()
    assert model.closed
