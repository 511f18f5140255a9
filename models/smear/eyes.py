"""The converted encoder and centre head, run by the project's own engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sdk.runtime import Model, open_model

Floats = NDArray[np.float32]


class Eyes:
    """An encoder and a head that reads the encoder's features where they lie."""

    def __init__(self, encoder: Model, head: Model) -> None:
        self._look = encoder.bind()
        (self._images,) = self._look.inputs.values()
        (self._features,) = self._look.outputs.values()
        (name,) = head.signature().inputs
        self._mark = head.bind(inputs={name: self._features})

    def features(self, images: Floats) -> Floats:
        """Encode pictures ``(1, 288, 288, 3)``, 0 to 1; the array is overwritten by the next call."""
        self._images[:] = images
        self._look()
        return self._features

    def maps(self, pixels: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Give copies of the scores ``(72, 72, 3)`` and sizes ``(72, 72, 2)`` of an RGB picture."""
        self.features(pixels[None].astype(np.float32) / 255)
        self._mark()
        scores, sizes = (self._real(name) for name in ("scores", "sizes"))
        return scores, sizes

    def _real(self, name: str) -> Floats:
        """Give an output of the head in real values, a copy."""
        stored = self._mark.outputs[name][0]
        told = self._mark.signature.outputs[name].quantization
        return (stored.astype(np.float32) - told.zero_point) * np.float32(told.scale) if told else stored.copy()


@contextmanager
def open_eyes(encoder: Path, head: Path) -> Iterator[Eyes]:
    """Open two TensorFlow Lite files."""
    with open_model(encoder) as first, open_model(head) as second:
        yield Eyes(first, second)
