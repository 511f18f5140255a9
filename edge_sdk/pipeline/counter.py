"""From a frame to its cells: the centre head's maps, their peaks, and the peaks' places in the frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from edge_sdk.bundle import Bundle
from edge_sdk.errors import BundleError
from edge_sdk.frame import Frame
from edge_sdk.pipeline.centre import REAL, CentreFinder, CentreRule
from edge_sdk.pipeline.count import Cell, Count
from edge_sdk.pipeline.preprocess import Geometry
from edge_sdk.pipeline.seen import Seen
from edge_sdk.pipeline.vision import Vision

__all__ = ["Counter"]


class Counter:
    """Counts with the rules that a bundle's card gives.

    Raises
    ------
    BundleError
        The bundle has no centre head, or its maps do not fit its card.
    """

    def __init__(self, vision: Vision, bundle: Bundle) -> None:
        card = bundle.card
        if card is None or card.cells is None or not bundle.has("tf_lite_aux"):
            raise BundleError(
                f"{bundle.path} cannot count.",
                why="It has no cell-centre head with classes.",
                fix="Use a bundle that was trained to count, such as smear.",
            )
        self._vision = vision
        self._size = (card.input.width_px, card.input.height_px)
        classes = card.cells.classes
        self._labels = [item.name for item in classes]
        rule = CentreRule(tuple(item.threshold for item in classes), tuple(item.radius_share for item in classes))
        maps = vision.maps_told
        for name, depth in (("scores", len(classes)), ("sizes", 2)):
            shape = maps[name].shape if name in maps else ()
            if len(shape) != 4 or shape[3] != depth:
                raise BundleError(
                    f"The centre head of {bundle.path} gives {name} {list(shape)}.",
                    why=f"[1, rows, columns, {depth}] is expected.",
                )
        scores, sizes = maps["scores"], maps["sizes"]
        self._finder = CentreFinder(
            rule,
            scores.shape[1:],
            dtype=scores.dtype,
            scores=scores.quantization or REAL,
            sizes=sizes.quantization or REAL,
        )

    def count(self, frame: Frame) -> Count:
        """Count the cells of one frame."""
        cells = self._vision.maps(frame, self._cells)
        return Count.of(
            cells,
            self._labels,
            seen=Seen.of(frame),
            width_px=frame.width_px,
            height_px=frame.height_px,
        )

    def _cells(self, maps: Mapping[str, npt.NDArray[Any]], geometry: Geometry) -> list[Cell]:
        found = self._finder.find(maps["scores"][0], maps["sizes"][0])
        left, top = geometry.to_frame(0.0, 0.0)
        # From fractions of the input to pixels of the frame; for some dozen cells faster than with arrays.
        wide, high = self._size[0] * geometry.scale_x, self._size[1] * geometry.scale_y
        labels = map(self._labels.__getitem__, found.kind.tolist())
        rows = zip(labels, found.place.tolist(), found.side.tolist(), found.score.tolist(), strict=True)
        return [
            Cell(label, x * wide + left, y * high + top, width * wide, height * high, score)
            for label, (x, y), (width, height), score in rows
        ]
