"""Asks questions in a thread of its own, one at a time, so that no trigger waits for an answer."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edge_sdk.errors import EdgeError
from edge_sdk.sensors.record import ANSWER, NOTE, PROBLEM, Record, Tell
from edge_sdk.sensors.rule import Rule

if TYPE_CHECKING:
    from edge_sdk.pipeline import Answer, VisionLanguageModel
    from edge_sdk.sources import Camera

__all__ = ["Asker", "Opener"]

logger = logging.getLogger(__name__)

_WAITING_MOST = 4
_END_S = 5.0


class Opener:
    """What an `Asker` needs, opened when the first question comes: models take seconds and memory.

    Parameters
    ----------
    load : function
        Loads the model.
    camera : function or None
        Opens the camera; None where there is none.
    sensor : function
        Gives a sensor by its name.
    line : function
        Makes what `VisionLanguageModel.ask` takes, of sensors and how old a reading of theirs may be in seconds.
    """

    def __init__(
        self,
        load: Callable[[], VisionLanguageModel],
        camera: Callable[[], Camera] | None,
        sensor: Callable[[str], object],
        line: Callable[[list[object], float], object],
    ) -> None:
        self._load, self._open_camera, self.sensor, self.line = load, camera, sensor, line
        self._model: VisionLanguageModel | None = None
        self._camera: Camera | None = None

    def model(self) -> VisionLanguageModel:
        """Give the model."""
        if self._model is None:
            self._model = self._load()
        return self._model

    def frame(self) -> object:
        """Give the camera's newest frame, or None without one; a camera that failed is opened anew the next time."""
        if self._open_camera is None:
            return None
        try:
            if self._camera is None:
                self._camera = self._open_camera()
            return self._camera.capture()
        except EdgeError:
            self.close_camera()
            raise

    def close_camera(self) -> None:
        """Let go of the camera."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def close(self) -> None:
        """Let go of camera and model."""
        self.close_camera()
        if self._model is not None:
            self._model.close()
            self._model = None


class Asker:
    """Answers the questions of rules, one after the other; what fails is told, and the next one is asked all the same.

    Parameters
    ----------
    opener : Opener
        What is asked.
    tell : function
        Takes the answers.
    clock : function
        Monotonic seconds.
    """

    def __init__(self, opener: Opener, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._opener, self._tell, self._clock = opener, tell, clock
        self._waiting: queue.Queue[Rule | None] = queue.Queue(_WAITING_MOST)
        self._names: set[str] = set()
        self._answer: Answer | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Answer in a thread from now on."""
        self._thread = threading.Thread(target=self._run, name="rules-asker", daemon=True)
        self._thread.start()

    def put(self, rule: Rule) -> None:
        """Have a rule's question answered, unless it waits for that already; that is told."""
        if rule.name in self._names:
            self._say(NOTE, rule, "not asked: an earlier question is still being answered")
            return
        self._names.add(rule.name)
        try:
            self._waiting.put_nowait(rule)
        except queue.Full:
            self._names.discard(rule.name)
            self._say(NOTE, rule, f"not asked: {_WAITING_MOST} other questions wait already")

    def answer_next(self, timeout_s: float | None = None) -> bool:
        """Answer the question that waits longest; False when there is to be none any more, or none came in time."""
        try:
            rule = self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            return False
        if rule is None or self._closed:
            return False
        try:
            self._ask(rule)
        except EdgeError as error:
            self._say(PROBLEM, rule, f"not answered: {error.what}", why=error.why, fix=error.fix)
        except Exception as error:  # a fault of ours or of a library is no reason to leave the heater unwatched
            logger.exception("A question failed.")
            self._say(PROBLEM, rule, f"not answered: {type(error).__name__}: {error}")
        finally:
            self._answer = None
            self._names.discard(rule.name)
        return True

    def close(self) -> None:
        """End the answer that is being made, and let go of camera and model; twice is harmless."""
        if self._closed:
            return
        self._closed = True
        answer = self._answer
        if answer is not None:
            answer.cancel()
        with contextlib.suppress(queue.Full):  # the thread looks before it takes the next one
            self._waiting.put_nowait(None)
        if self._thread is not None:
            self._thread.join(_END_S)
            if self._thread.is_alive():  # a model that is being loaded is let finish by nobody
                return
        self._opener.close()

    def _run(self) -> None:
        while self.answer_next():
            pass

    def _ask(self, rule: Rule) -> None:
        ask = rule.ask
        assert ask is not None
        model = self._opener.model()
        frame = self._opener.frame() if ask.frame else None
        sensors = [self._opener.sensor(name) for name in ask.sensors]
        answer = model.ask(
            ask.prompt,
            frame,
            sensors=self._opener.line(sensors, ask.max_age_s) if sensors else None,
            max_tokens=ask.max_tokens,
        )
        self._answer = answer
        if self._closed:
            return
        text = answer.text.strip()
        words = f"{rule.name}: {_words(answer, text)}"
        self._tell(Record(ANSWER, self._clock(), rule.name, words, _data(answer, ask.prompt, text)))

    def _say(self, kind: str, rule: Rule, text: str, **data: Any) -> None:
        told = {key: value for key, value in data.items() if value}
        self._tell(Record(kind, self._clock(), rule.name, f"{rule.name}: {text}", told))


def _words(answer: Answer, text: str) -> str:
    about = [*answer.frames, *(f"{one.name} {one.value:.3g} {one.unit}".rstrip() for one in answer.readings)]
    about += [f"{name} unknown" for name in answer.unread]
    return f"{text} ({', '.join(about)})" if about else text


def _data(answer: Answer, question: str, text: str) -> Mapping[str, Any]:
    readings = [
        {
            "name": reading.name,
            "value": reading.value,
            "unit": reading.unit,
            "time_s": round(reading.time_s, 4),
            "uncertainty_s": round(reading.uncertainty_s, 6),
        }
        for reading in answer.readings
    ]
    return {
        "question": question,
        "answer": text,
        "finish": answer.finish,
        "frames": list(answer.frames),
        "seen": [seen.as_dict() for seen in answer.seen],
        "readings": readings,
        "unread": dict(answer.unread),
        "timings": answer.timings.as_dict(),
    }
