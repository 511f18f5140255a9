"""Questions and frames as a user has them: what each takes, again and again, and with a camera running."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from edge_sdk.bundle import Bundle
from edge_sdk.bundle.folder import SHIPPED
from edge_sdk.bundle.inspection import cache_lengths
from edge_sdk.frame import Frame
from edge_sdk.pipeline import VisionLanguageModel
from edge_sdk.sources import open_camera

__all__ = ["Sight", "takes_frames", "timed"]

_TIMES, _TIMES_SHORT = 9, 2
_FILM_S, _FILM_SHORT_S = 4.0, 0.4
_PHOTOS = "smear-*.jpg"
_LONG_TOKENS = 100


class Sight:
    """A loaded bundle, and shipped photographs to show it: no two of them in a row are the same.

    Parameters
    ----------
    model : VisionLanguageModel
        What is asked.
    short : bool
        Do little of everything.

    Attributes
    ----------
    sees : bool
        Whether it takes frames.
    """

    def __init__(self, model: VisionLanguageModel, *, short: bool = False) -> None:
        self._model = model
        self._times, self._film_s = (_TIMES_SHORT, _FILM_SHORT_S) if short else (_TIMES, _FILM_S)
        self.sees = takes_frames(model.bundle)
        photos = [Frame.open(path) for path in sorted((SHIPPED / "photos").glob(_PHOTOS))] if self.sees else []
        self._photos: Iterator[Frame | None] = itertools.cycle(photos or [None])
        self._photo = next(self._photos)

    def ask(self, question: str, *, most: int = 1) -> None:
        """Ask about the photograph that is on, up to some tokens of the answer."""
        _ = self._model.ask(question, self._photo if self._answers_frames else None, max_tokens=most).text

    @property
    def _answers_frames(self) -> bool:
        return self.sees and self._model.bundle.metadata.vision is not None

    def first_tokens(self, question: str) -> dict[str, float]:
        """Time questions to their first token: about a new frame each, and another question about the same frame.

        Without frames each question begins otherwise, for what a prompt begins with is kept; a long one is timed too.
        """
        new, again = [], []
        for number in range(self._times):
            self._photo = next(self._photos)
            new.append(timed(self.ask, question if self._answers_frames else f"{number}. {question}"))
            again.append(timed(self.ask, f"{question} I ask for the {number}. time."))
        found = {"first_token": median(new)}
        if self._answers_frames:
            return found | {"first_token_again": median(again)}
        if max(cache_lengths(self._model.bundle), default=0) > 2 * _LONG_TOKENS:
            long = [timed(self.ask, self._long(f"{number}. {question}")) for number in range(self._times)]
            found[f"first_token_long@{_LONG_TOKENS}"] = median(long)
        return found

    def _long(self, question: str) -> str:
        """Make a question longer, so that with the template about 100 tokens are fed."""
        tokenizer, told = self._model.bundle.tokenizer(), question
        while len(tokenizer.encode(told)) < _LONG_TOKENS - 8:
            told += f" {question}"
        return told

    def looks(self) -> dict[str, float]:
        """Time encoding a frame and counting its cells, as far as the bundle does."""
        if not self.sees:
            return {}
        found = {"encode": self._often(self._model.embed)}
        if self._model.labels:
            found["count"] = self._often(self._model.count)
        return found

    def film(self, uri: str) -> dict[str, float]:
        """Look at the newest frame of a camera, one after the other, while it goes on capturing."""
        look: Callable[[Frame], object] = self._model.count if self._model.labels else self._model.embed
        with open_camera(uri) as camera:
            look(camera.capture())
            taken: list[float] = []
            dropped = camera.dropped
            begin = time.perf_counter()
            while not taken or time.perf_counter() - begin < self._film_s:
                frame = camera.capture()
                taken.append(timed(look, frame))
            whole_s = time.perf_counter() - begin
            given = len(taken) + camera.dropped - dropped
        taken.sort()
        return {
            "frames": len(taken) / whole_s,
            "frames_camera": given / whole_s,
            "frame_median": median(taken),
            "frame_p99": taken[-(-99 * len(taken) // 100) - 1],
        }

    def _often(self, look: Callable[[Any], object]) -> float:
        taken = []
        for _ in range(1 + self._times):
            taken.append(timed(look, next(self._photos)))
        return median(taken[1:])


def takes_frames(bundle: Bundle) -> bool:
    """Say whether a bundle looks at pictures."""
    if bundle.version is not None:
        return bundle.has("tf_lite_vision_encoder")
    inputs = bundle.model("tflite").subgraphs[0].inputs
    return len(inputs) == 1 and len(inputs[0].shape) == 4 and inputs[0].shape[3] in (1, 3)


def timed(work: Callable[..., object], *given: object) -> float:
    """Do something; give the seconds that it took."""
    begin = time.perf_counter()
    work(*given)
    return time.perf_counter() - begin
