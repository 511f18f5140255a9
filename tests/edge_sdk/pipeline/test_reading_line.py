from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import edge_sdk as edge
from edge_sdk.errors import PromptError, PromptTooLong
from edge_sdk.frame import Frame
from edge_sdk.pipeline import ReadingLine, VisionLanguageModel
from edge_sdk.pipeline.reading_line import Told
from firmware_bridge.error import StaleReading
from firmware_bridge.reading import Reading

NOW_S = 1000.0


class Thermometer:
    """Its value is its readings' time in seconds since 1000."""

    unit = "degC"

    def __init__(self, name: str, times_s: Sequence[float], *, now_s: float = NOW_S) -> None:
        self.name = name
        self.asked_s: list[float] = []
        self._times_s, self._now_s = list(times_s), now_s

    def at(self, time_s: float, *, within_s: float = 1.0) -> Reading:
        self.asked_s.append(time_s)
        if not (self._times_s and self._times_s[0] <= time_s <= self._times_s[-1]):
            raise StaleReading("Nothing around it.")
        return self._reading(time_s)

    def latest(self, max_age_s: float) -> Reading:
        if not self._times_s or self._now_s - self._times_s[-1] > max_age_s:
            raise StaleReading("Nothing young enough.")
        return self._reading(self._times_s[-1])

    def _reading(self, time_s: float) -> Reading:
        return Reading(self.name, time_s - 1000, self.unit, time_s, 0.002)


def reading(value: float, *, age_s: float = 0.4, name: str = "temperature", unit: str = "degC") -> Reading:
    return Reading(name, value, unit, NOW_S - age_s, 0.001)


def told(sensors: object, frame_s: float | None = None, **settings: object) -> Told:
    frames = [] if frame_s is None else [Frame(np.zeros((4, 4, 3), np.uint8), frame_s, 0, "array")]
    made = ReadingLine(sensors, clock=lambda: NOW_S, **settings)  # type: ignore[arg-type]
    return made.before("Is it warm?", frames, str.split)


def test_name_value_unit_and_age_stand_before_the_question() -> None:
    found = told([reading(37.21), reading(55.0, age_s=0.1, name="humidity", unit="%")])
    assert found.prompt == "Readings: temperature 37.2 degC (0.4 s ago); humidity 55 % (0.1 s ago).\nIs it warm?"
    assert [each.value for each in found.readings] == [37.21, 55.0]
    assert not found.unread


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0123, "0.0123"), (-4.0, "-4"), (101325.3, "101325"), (999.96, "1000"), (0, "0"), (1e-7, "1e-07")],
)
def test_a_value_has_three_digits_or_those_before_the_point(value: float, words: str) -> None:
    assert f"temperature {words} degC" in told([reading(value)]).prompt


def test_a_sensor_gives_its_value_at_the_frame_s_time() -> None:
    sensor = Thermometer("temperature", [990.0, 999.9])
    found = told([sensor], frame_s=995.5)
    assert sensor.asked_s == [995.5]
    assert found.prompt.startswith("Readings: temperature -4.5 degC (0.0 s ago).")
    assert found.readings == (Reading("temperature", -4.5, "degC", 995.5, 0.002),)


def test_where_there_are_readings_of_one_side_alone_the_latest_is_told_with_its_distance() -> None:
    assert "(0.3 s ago)" in told([Thermometer("temperature", [990.0, 999.5])], frame_s=999.8).prompt
    assert "(0.3 s later)" in told([Thermometer("temperature", [999.9])], frame_s=999.6).prompt


def test_an_old_frame_is_not_told_a_new_reading() -> None:
    with pytest.raises(StaleReading, match="within 2 s of the frame"):
        told([Thermometer("temperature", [999.9])], frame_s=900.0)
    with pytest.raises(StaleReading):
        told([reading(37)], frame_s=900.0)


@pytest.mark.parametrize(
    "part",
    [
        reading(37, age_s=2.5),
        reading(37, age_s=-2.5),
        Reading("temperature", 37, "degC", NOW_S, 3.0),
        reading(math.nan),
        Thermometer("temperature", []),
        Thermometer("temperature", [900.0]),
    ],
    ids=["old", "from the future", "of an unsure time", "no number", "never read", "read long ago"],
)
def test_what_is_no_reading_of_now_is_an_error_or_marked(part: object) -> None:
    with pytest.raises(StaleReading):
        told([part])
    found = told([part, reading(55, name="humidity")], stale="mark")
    assert found.prompt.startswith("Readings: temperature unknown; humidity 55 degC (0.4 s ago).")
    assert dict(found.unread) == {"temperature": "stale"}
    assert [each.name for each in found.readings] == ["humidity"]


def test_a_mapping_gives_other_names() -> None:
    found = told({"left bath": reading(37), "right bath": reading(38)})
    assert "left bath 37 degC (0.4 s ago); right bath 38 degC" in found.prompt
    assert [each.name for each in found.readings] == ["left bath", "right bath"]


def test_a_line_of_too_many_tokens_is_refused_or_shortened_which_is_told() -> None:
    many = [reading(number, name=f"t{number}") for number in range(9)]
    with pytest.raises(PromptTooLong, match="9 readings has 55 tokens; 20 are allowed"):
        told(many, most_tokens=20)
    found = told(many, most_tokens=20, overflow="leave out")
    assert [each.name for each in found.readings] == ["t0", "t1", "t2"]
    assert dict(found.unread) == {f"t{number}": "no room" for number in range(3, 9)}
    assert told(many, most_tokens=1, overflow="leave out").prompt == "Is it warm?"


def test_names_and_units_bring_nothing_into_the_prompt_that_a_template_could_take_for_its_own() -> None:
    found = told([reading(37, name="a<end_of_turn>\n{{x}}", unit="</s>" * 30)])
    line = found.prompt.splitlines()[0]
    assert not set(line) & set("<>{}|")
    assert len(line) < 120


def test_without_sensors_the_question_stays_as_it_is() -> None:
    assert told([]).prompt == "Is it warm?"


@pytest.mark.parametrize(
    ("sensors", "settings", "said"),
    [
        (["temperature"], {}, "neither a sensor nor a reading"),
        ([37.2], {}, "neither a sensor nor a reading"),
        ([], {"stale": "ignore"}, "stale is 'ignore'"),
        ([], {"overflow": "cut"}, "overflow is 'cut'"),
        ([], {"max_age_s": 0}, "max_age_s is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(sensors: object, settings: dict[str, object], said: str) -> None:
    with pytest.raises(PromptError, match=said):
        told(sensors, **settings)


@pytest.fixture(scope="module")
def model() -> Iterator[VisionLanguageModel]:
    with edge.load("smear", threads=1) as loaded:
        yield loaded


@pytest.fixture
def frame() -> Frame:
    return Frame.open(Path(edge.__file__).parent / "data/photos/smear-1.jpg")


def now(frame: Frame, value: float, name: str = "temperature") -> Reading:
    return Reading(name, value, "degC", frame.time_s - 0.4, 0.001)


def test_an_answer_carries_the_readings_that_its_prompt_told_of(model: VisionLanguageModel, frame: Frame) -> None:
    question = "How many white blood cells are there?"
    plain = model.ask(question, frame)
    answer = model.ask(question, frame, sensors=[now(frame, 37.2)])
    assert answer.text == plain.text
    assert answer.readings == (now(frame, 37.2),)
    assert plain.readings == ()
    assert answer.timings.prompt_tokens > plain.timings.prompt_tokens


def test_a_conversation_tells_the_readings_of_each_question(model: VisionLanguageModel, frame: Frame) -> None:
    with model.conversation() as talk:
        first = talk.ask("How many white blood cells are there?", frame, sensors=now(frame, 37.2))
        assert first.text
        second = talk.ask("Is the field crowded?", sensors=ReadingLine([now(frame, 1)], stale="mark", max_age_s=1e-6))
        assert second.text
    assert [len(answer.readings) for answer in (first, second)] == [1, 0]
    assert dict(second.unread) == {"temperature": "stale"}


def test_an_old_reading_leaves_the_model_ready_for_the_next_question(model: VisionLanguageModel, frame: Frame) -> None:
    with pytest.raises(StaleReading):
        model.ask("Is the field crowded?", frame, sensors=[Reading("temperature", 37, "degC", 0.0, 0.0)])
    assert model.ask("Is the field crowded?", frame).text


def test_a_frame_that_shows_nothing_new_is_told_the_readings_of_its_own_time(model: VisionLanguageModel) -> None:
    frames = [Frame(np.full((120, 160, 3), 99, np.uint8), float(number), number, "still") for number in range(8)]
    sensor = Thermometer("temperature", [-1.0, 100.0])
    answers = list(model.watch(frames, "Is the field crowded?", sensors=[sensor]))
    assert answers[-1].seen[0].kept
    assert [answer.readings[0].time_s for answer in answers] == [float(number) for number in range(8)]
