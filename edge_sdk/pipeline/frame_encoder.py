"""A bundle's vision encoder over buffers of its own: what it writes, the next model reads in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from edge_sdk.errors import BundleError
from edge_sdk.frame import Frame
from edge_sdk.pipeline.preprocess import Geometry, Preprocess
from edge_sdk.pulse import PULSE
from edge_sdk.runtime import Array, Model, Run, TensorSpec

__all__ = ["FrameEncoder"]


@dataclass(slots=True)
class _Side:
    """A run of the encoder, the features that it writes, and the frame that they are of."""

    encode: Run
    features: Array
    seen: tuple[Frame, Geometry] | None = None


class FrameEncoder:
    """The encoder's buffers, and the runs that are bound to them; they go when one of the models does.

    For the adapter it writes into that one's own input, so that a frame can be counted while another is put into words.

    Parameters
    ----------
    encoder : Model
        Takes one picture; its first output are the features.
    prepare : function
        Makes the preprocessing for its input, given the specification of that.

    Attributes
    ----------
    models : list of Model
        All that are open.
    features : ndarray
        Of the frame that `look` was given last.

    Raises
    ------
    BundleError
        The encoder takes something else than one picture.
    """

    def __init__(self, encoder: Model, prepare: Callable[[TensorSpec], Preprocess]) -> None:
        self.models = [encoder]
        self._encode = encoder.bind()
        picture = _only(self._encode.signature.inputs, encoder, "input")
        self._picture = self._encode.inputs[picture.name]
        self._preprocess = prepare(picture)
        self._name, self.features = next(iter(self._encode.outputs.items()))
        self._counts, self._words = _Side(self._encode, self.features), _Side(self._encode, self.features)
        self._after: dict[str, Run] = {}

    def after(self, name: str, model: Model, *, in_place: bool) -> Run:
        """Give the run of a section that takes the features: of `look`, in place, or of `look_for_words`.

        Raises
        ------
        BundleError
            It takes none like these.
        """
        if name not in self._after:
            spec = _only(model.signature().inputs, model, "input")
            if spec.shape != self.features.shape or spec.dtype != self.features.dtype:
                raise BundleError(
                    f"{model.name} takes {list(spec.shape)} {spec.dtype}; the encoder gives "
                    f"{list(self.features.shape)} {self.features.dtype}.",
                    why="The bundle's sections do not belong together.",
                )
            run = model.bind(inputs={spec.name: self.features} if in_place else None)
            if not in_place:
                features = run.inputs[spec.name]
                encode = self.models[0].bind(inputs=self._encode.inputs, outputs={self._name: features})
                self._words = _Side(encode, features)
            self.models.append(model)
            self._after[name] = run  # last: a run that nobody writes features for would put zeros into words
        return self._after[name]

    def tokens(self, adapt: Run | None) -> npt.NDArray[Any]:
        """Give the buffer of visual tokens."""
        return self.features if adapt is None else next(iter(adapt.outputs.values()))

    def look(self, frame: Frame) -> Geometry:
        """Encode a frame, unless its features are there."""
        return self._look(frame, self._counts, self._words)

    def look_for_words(self, frame: Frame) -> None:
        """Have a frame's features where the section that is not in place reads them."""
        self._look(frame, self._words, self._counts)

    def forget(self) -> None:
        """Let go of the frames that were looked at."""
        self._counts.seen = self._words.seen = None

    def _look(self, frame: Frame, side: _Side, other: _Side) -> Geometry:
        if side.seen is None or side.seen[0] is not frame:
            side.seen = None
            if other.seen is not None and other.seen[0] is frame:
                side.features[...] = other.features
                side.seen = other.seen
            else:
                geometry = self._preprocess.apply(frame, self._picture)
                side.encode()
                PULSE.beat(frames=1)
                side.seen = frame, geometry
        return side.seen[1]


def _only(specs: Mapping[str, TensorSpec], model: Model, side: str) -> TensorSpec:
    if len(specs) != 1:
        raise BundleError(
            f"{model.name} has {len(specs)} {side}s: {', '.join(specs)}.",
            why="Encoders that want patches and positions instead of one picture are not known here.",
        )
    return next(iter(specs.values()))
