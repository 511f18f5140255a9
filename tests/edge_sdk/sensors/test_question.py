"""What rules ask: with the frame and the readings of that moment, beside the rules that go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from service_run import ALLOW, Run

from edge_sdk.errors import ModelError
from edge_sdk.pipeline import ReadingLine
from edge_sdk.sensors.asker import Asker, Opener


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

    def line(sensors: list[object], max_age_s: float) -> object:
        return ReadingLine(sensors, max_age_s=max_age_s, stale="mark", clock=stood.time)

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


def test_a_question_takes_readings_as_old_as_its_rule_says(begin: Callable[..., Run]) -> None:
    run, asker = asking(begin, ASK.replace('["temperature"]', '["temperature"], max_age_s = 9'), Model(), Camera)
    line, ages = asker._opener.line, list[float]()

    def noted(sensors: list[object], max_age_s: float) -> object:
        ages.append(max_age_s)
        return line(sensors, max_age_s)

    asker._opener.line = noted
    run.service.step()
    assert asker.answer_next()
    assert ages == [9]


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
