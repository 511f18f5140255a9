"""What ``model.count`` gives: every cell with its place, box and score, and the number of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from edge_sdk.frame import Frame
from edge_sdk.frame.region import box_px
from edge_sdk.pipeline.seen import Seen

__all__ = ["Cell", "Count"]


class Cell(NamedTuple):
    """One counted cell, in the pixels of the frame that was counted.

    A named tuple, because dozens are made for every frame: a frozen dataclass takes four times as long.

    Attributes
    ----------
    label : str
        The class, as the bundle names it.
    x_px, y_px : float
        The centre, from the frame's left and top edge.
    width_px, height_px : float
        The box around it.
    score : float
        From 0 to 1; not a probability.
    """

    label: str
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    score: float

    @property
    def radius_px(self) -> float:
        """Radius of the circle whose diameter is the mean of the box's sides."""
        return (self.width_px + self.height_px) / 4

    @property
    def box_px(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the box."""
        half_w, half_h = self.width_px / 2, self.height_px / 2
        return (self.x_px - half_w, self.y_px - half_h, self.x_px + half_w, self.y_px + half_h)


@dataclass(frozen=True, slots=True)
class Count:
    """The cells of one frame.

    Attributes
    ----------
    cells : tuple of Cell
        Best score first.
    totals : mapping of str to int
        How many cells of each class that the bundle knows, zero included.
    seen : Seen
        The frame, and the one that was encoded for it.
    width_px, height_px : int
        The frame's size.

    Examples
    --------
    >>> import numpy as np
    >>> cell = Cell("wbc", x_px=50.0, y_px=40.0, width_px=20.0, height_px=24.0, score=0.9)
    >>> seen = Seen.of(Frame.of(np.zeros((80, 100), np.uint8)))
    >>> count = Count.of([cell], ["wbc", "rbc"], seen=seen, width_px=100, height_px=80)
    >>> dict(count.totals), cell.radius_px
    ({'wbc': 1, 'rbc': 0}, 11.0)
    """

    cells: tuple[Cell, ...]
    totals: Mapping[str, int]
    seen: Seen
    width_px: int
    height_px: int

    @classmethod
    def of(cls, cells: list[Cell], labels: list[str], *, seen: Seen, width_px: int, height_px: int) -> Count:
        """Add up the cells of each class in `labels`."""
        totals = dict.fromkeys(labels, 0)
        for cell in cells:
            totals[cell.label] += 1
        return cls(tuple(cells), MappingProxyType(totals), seen, width_px, height_px)

    @property
    def source(self) -> str:
        """Where the frame came from."""
        return self.seen.source

    @property
    def sequence(self) -> int:
        """The frame's number there."""
        return self.seen.sequence

    def standing_for(self, frame: Frame) -> Count:
        """Give the count of a later frame that shows nothing more than this one did."""
        return replace(self, seen=self.seen.standing_for(frame))

    def within(self, frame: Frame, region: Sequence[float]) -> Count:
        """Give the count of a region in the pixels of the frame that it was cut out of."""
        left_px, top_px, _, _ = box_px(region, frame.width_px, frame.height_px)
        cells = tuple(cell._replace(x_px=cell.x_px + left_px, y_px=cell.y_px + top_px) for cell in self.cells)
        return replace(self, cells=cells, width_px=frame.width_px, height_px=frame.height_px)

    def as_dict(self) -> dict[str, object]:
        """Give plain lists, dicts and numbers, ready for JSON; places rounded to a hundredth of a pixel."""
        return {
            **self.seen.as_dict(),
            "width_px": self.width_px,
            "height_px": self.height_px,
            "totals": dict(self.totals),
            "cells": [
                {
                    "label": c.label,
                    "x_px": round(c.x_px, 2),
                    "y_px": round(c.y_px, 2),
                    "width_px": round(c.width_px, 2),
                    "height_px": round(c.height_px, 2),
                    "radius_px": round(c.radius_px, 2),
                    "score": round(c.score, 4),
                }
                for c in self.cells
            ],
        }
