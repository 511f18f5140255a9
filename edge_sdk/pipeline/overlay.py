"""A picture on which every counted cell is marked, with a legend beneath."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_sdk.frame import Frame
from edge_sdk.frame.opencv import cv2
from edge_sdk.pipeline.count import Cell, Count

__all__ = ["draw"]

# B, G, R. Told apart by colour-blind eyes too. Source: Okabe and Ito, "Color Universal Design", 2008; stained
# films are pink and violet, so that their reddish purple is left out and the blue and green come first.
_COLOURS = ((178, 114, 0), (115, 158, 0), (0, 94, 213), (0, 159, 230), (66, 228, 240), (233, 180, 86))
_WHITE = (255, 255, 255)
_INK = (40, 40, 40)
_PALE_INK = (130, 130, 130)
_SMALL_PX = 640  # A picture whose longer side is below this is drawn larger: its marks would hide it.
_SUBPIXEL_BITS = 4


def draw(frame: Frame, count: Count) -> Frame:
    """Mark each counted cell with an ellipse of its class's colour, and write the counts beneath.

    Parameters
    ----------
    frame : Frame
        The one that was counted; it stays as it is.
    count : Count
        Its cells.

    Returns
    -------
    Frame
        The same picture, at twice its size or more where it is small, with a strip beneath for the legend.
    """
    zoom = -(-_SMALL_PX // max(frame.width_px, frame.height_px))
    size = (frame.width_px * zoom, frame.height_px * zoom)
    picture = cv2.resize(frame.pixels, size, interpolation=cv2.INTER_CUBIC) if zoom > 1 else frame.pixels.copy()
    canvas = np.asarray(picture, np.uint8)
    stroke_px = max(2, round(max(size) / 400))
    colours = {label: _COLOURS[index % len(_COLOURS)] for index, label in enumerate(count.totals)}
    for cell in sorted(count.cells, key=lambda cell: -cell.radius_px):  # Small ones last, so that none is hidden.
        _mark(canvas, cell, zoom, colours[cell.label], stroke_px)
    legend = _legend(size[0], count.totals, colours, frame.source)
    return Frame(np.vstack([canvas, legend]), frame.time_s, frame.sequence, frame.source, frame.reduction)


def _mark(canvas: NDArray[np.uint8], cell: Cell, zoom: int, colour: tuple[int, int, int], stroke_px: int) -> None:
    """Draw an ellipse into the cell's box, over a white one that sets it off from dark cells."""
    unit = zoom << _SUBPIXEL_BITS
    half = 1 << (_SUBPIXEL_BITS - 1)  # OpenCV's whole numbers are pixel centres, ours are their edges.
    centre = (round(cell.x_px * unit) - half, round(cell.y_px * unit) - half)
    axes = (max(1, round(cell.width_px * unit / 2)), max(1, round(cell.height_px * unit / 2)))
    for line, width_px in ((_WHITE, stroke_px + max(2, stroke_px // 2)), (colour, stroke_px)):
        cv2.ellipse(canvas, centre, axes, 0, 0, 360, line, width_px, cv2.LINE_AA, _SUBPIXEL_BITS)


def _legend(
    width_px: int, totals: Mapping[str, int], colours: Mapping[str, tuple[int, int, int]], source: str
) -> NDArray[np.uint8]:
    """Draw a strip with a dot, the name and the count of each class, and the picture's name where it fits."""
    texts = [f"{label.upper() if len(label) <= 3 else label} {number}" for label, number in totals.items()]
    text_px = max(14, round(width_px / 32))
    widths_px, text_px = _fit(texts, text_px, width_px)
    row_px = 2 * text_px
    strip = np.full((row_px, width_px, 3), 255, np.uint8)
    base_px = (row_px + text_px * 3 // 4) // 2
    x_px = text_px // 2
    for text, text_width_px, colour in zip(texts, widths_px, colours.values(), strict=True):
        centre = (x_px + text_px // 2, row_px // 2)
        cv2.circle(strip, centre, max(2, text_px * 2 // 5), colour, -1, cv2.LINE_AA)
        _write(strip, text, x_px + text_px * 5 // 4, base_px, text_px, _INK)
        x_px += text_px * 9 // 4 + text_width_px
    name = source.rsplit("/", 1)[-1]
    small_px = max(1, text_px * 2 // 3)
    name_px = _width(name, small_px)
    if name.isascii() and x_px + name_px + text_px // 2 <= width_px:  # OpenCV's font of old has no other letters.
        _write(strip, name, width_px - name_px - text_px // 2, base_px, small_px, _PALE_INK)
    return strip


def _fit(texts: list[str], text_px: int, width_px: int) -> tuple[list[int], int]:
    """Make the text smaller until all of it fits into the width."""
    while True:
        widths_px = [_width(text, text_px) for text in texts]
        if text_px <= 6 or sum(widths_px) + len(texts) * text_px * 9 // 4 <= width_px:
            return widths_px, text_px
        text_px -= 1


def _write(
    strip: NDArray[np.uint8], text: str, x_px: int, base_px: int, text_px: int, colour: tuple[int, int, int]
) -> None:
    cv2.putText(
        strip, text, (x_px, base_px), cv2.FONT_HERSHEY_SIMPLEX, _scale(text_px), colour, _weight(text_px), cv2.LINE_AA
    )


def _width(text: str, text_px: int) -> int:
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _scale(text_px), _weight(text_px))[0][0])


def _scale(text_px: int) -> float:
    return text_px / 28  # At 1 a capital letter is about 21 pixels high, three quarters of a line.


def _weight(text_px: int) -> int:
    return max(1, round(text_px / 14))
