"""The way of a frame through a bundle: pixels, features, and from these visual tokens, cells, an embedding."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle import Card
from edge_sdk.errors import BundleError
from edge_sdk.frame import Frame
from edge_sdk.pipeline.preprocess import Geometry, Preprocess
from edge_sdk.runtime import Model, Run, TensorSpec

__all__ = ["Vision", "preprocess_for"]

Found = TypeVar("Found")


class Vision:
    """Vision encoder, adapter and centre head over one set of buffers: what one writes the next reads in place.

    Parameters
    ----------
    encoder : Model
        One picture in; its first output are the features.
    prepare : function
        Makes the preprocessing for the encoder's input, given its specification.
    open_adapter, open_head : function, optional
        Each opens a model that takes the features, when it is first needed: who only counts has no adapter in
        memory. Without an adapter the features are the visual tokens.
    """

    def __init__(
        self,
        encoder: Model,
        prepare: Callable[[TensorSpec], Preprocess],
        *,
        open_adapter: Callable[[], Model] | None = None,
        open_head: Callable[[], Model] | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._encode = encoder.bind()
        picture = _only(self._encode.signature.inputs, encoder, "input")
        self._picture = self._encode.inputs[picture.name]
        self._prepare = prepare(picture)
        self._features = next(iter(self._encode.outputs.values()))
        self._open_adapter, self._open_head = open_adapter, open_head
        self._adapt: Run | None = None
        self._head: Run | None = None
        self._seen: tuple[Frame, Geometry] | None = None

    def _after(self, model: Model) -> Run:
        spec = _only(model.signature().inputs, model, "input")
        if spec.shape != self._features.shape or spec.dtype != self._features.dtype:
            raise BundleError(
                f"{model.name} takes {list(spec.shape)} {spec.dtype}; the encoder gives "
                f"{list(self._features.shape)} {self._features.dtype}.",
                why="The bundle's sections do not belong together.",
            )
        return model.bind(inputs={spec.name: self._features})

    @property
    def token_count(self) -> int:
        """Visual tokens that a frame becomes."""
        with self._lock:
            return int(self._tokens().shape[-2])

    @property
    def maps_told(self) -> Mapping[str, TensorSpec]:
        """The centre head's outputs."""
        with self._lock:
            if self._head is None and self._open_head is not None:
                self._head = self._after(self._open_head())
            return self._head.signature.outputs if self._head else {}

    def _tokens(self) -> npt.NDArray[Any]:
        """Give the buffer of visual tokens; the adapter is opened for it."""
        if self._adapt is None and self._open_adapter is not None:
            self._adapt = self._after(self._open_adapter())
        return self._features if self._adapt is None else next(iter(self._adapt.outputs.values()))

    def tokens(self, frame: Frame) -> npt.NDArray[np.float32]:
        """Give a frame's visual tokens, a copy of its own: ``(T, E) float32``."""
        with self._lock:
            self._look(frame)
            tokens = self._tokens()
            if self._adapt is not None:
                self._adapt()
            return np.array(tokens.reshape(tokens.shape[-2:]), np.float32)

    def embedding(self, frame: Frame) -> npt.NDArray[np.float32]:
        """Give the mean of a frame's features over its places: ``(D,) float32``."""
        with self._lock:
            self._look(frame)
            return np.asarray(self._features.reshape(-1, self._features.shape[-1]).mean(axis=0), np.float32)

    def maps(self, frame: Frame, read: Callable[[Mapping[str, npt.NDArray[Any]], Geometry], Found]) -> Found:
        """Run the centre head and hand its outputs to `read` while they are valid; give what it gives."""
        assert self._head is not None, "maps_told opens the head"
        with self._lock:
            geometry = self._look(frame)
            self._head()
            return read(self._head.outputs, geometry)

    def _look(self, frame: Frame) -> Geometry:
        """Encode a frame, unless its features are those that are there."""
        if self._seen is not None and self._seen[0] is frame:
            return self._seen[1]
        self._seen = None
        geometry = self._prepare.apply(frame, self._picture)
        self._encode()
        self._seen = (frame, geometry)
        return geometry


def _only(specs: Mapping[str, TensorSpec], model: Model, side: str) -> TensorSpec:
    if len(specs) != 1:
        raise BundleError(
            f"{model.name} has {len(specs)} {side}s: {', '.join(specs)}.",
            why="Encoders that want patches and positions instead of one picture are not known here.",
        )
    return next(iter(specs.values()))


def preprocess_for(card: Card | None, spec: TensorSpec, name: str, channels: str | None = None) -> Preprocess:
    """Make what a bundle's card asks for; without one: stretched to the input's size, RGB, from 0 to 1.

    Parameters
    ----------
    card : Card or None
        The bundle's.
    spec : TensorSpec
        The encoder's input.
    name : str
        The bundle, for errors.
    channels : str, optional
        Their order where this encoder wants another than the card says; mean and std must then be one for all.

    Raises
    ------
    BundleError
        The input is no picture, or not of the size that the card says.
    """
    if len(spec.shape) != 4 or spec.shape[3] not in (1, 3):
        raise BundleError(
            f"The vision encoder of {name} takes {list(spec.shape)}.", why="[1, height, width, 1 or 3] is known here."
        )
    _, height, width, depth = spec.shape
    if card is None:
        return Preprocess(width, height, channels="grey" if depth == 1 else "rgb", dtype=spec.dtype)
    wanted = card.input
    if (wanted.width_px, wanted.height_px) != (width, height):
        raise BundleError(
            f"The card of {name} says {wanted.width_px}x{wanted.height_px}; its encoder takes {width}x{height}."
        )
    return Preprocess(
        width,
        height,
        resize=wanted.resize,
        channels=(channels or wanted.channels).lower(),
        mean=wanted.mean,
        std=wanted.std,
        dtype=spec.dtype,
        quantization=(spec.quantization.scale, spec.quantization.zero_point) if spec.quantization else None,
    )
