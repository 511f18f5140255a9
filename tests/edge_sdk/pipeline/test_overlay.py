from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.frame import Frame
from edge_sdk.pipeline.count import Cell, Count
from edge_sdk.pipeline.overlay import draw
from edge_sdk.pipeline.seen import Seen

LABELS = ["wbc", "rbc", "platelet"]
BLUE, GREEN, RED = (178, 114, 0), (115, 158, 0), (0, 94, 213)


def grey_frame(width_px: int = 800, height_px: int = 600) -> Frame:
    return Frame(np.full((height_px, width_px, 3), 200, np.uint8), 1.5, 9, "slides/a.jpg")


def counted(frame: Frame, *cells: Cell) -> Count:
    size = {"width_px": frame.width_px, "height_px": frame.height_px}
    return Count.of(list(cells), LABELS, seen=Seen.of(frame), **size)


def is_near(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(pixels.astype(int) - colour).max(axis=-1) < 40


def test_every_cell_is_ringed_in_its_classes_colour_where_its_box_is() -> None:
    frame = grey_frame()
    cells = [
        Cell("wbc", 200, 150, 120, 100, 0.9),
        Cell("rbc", 500, 400, 60, 80, 0.8),
        Cell("platelet", 700, 100, 20, 20, 0.7),
    ]
    marked = draw(frame, counted(frame, *cells)).pixels[:600]
    for cell, colour in zip(cells, (BLUE, GREEN, RED), strict=True):
        rows, columns = np.nonzero(is_near(marked, colour))
        left, top, right, bottom = cell.box_px
        assert columns.min() == pytest.approx(left, abs=2.5)
        assert columns.max() == pytest.approx(right - 1, abs=2.5)
        assert rows.min() == pytest.approx(top, abs=2.5)
        assert rows.max() == pytest.approx(bottom - 1, abs=2.5)
        assert (marked[int(cell.y_px), int(cell.x_px)] == 200).all()  # The cell itself stays to be seen.


def test_the_frame_that_was_counted_stays_as_it_is_and_so_do_its_time_and_number() -> None:
    frame = grey_frame()
    marked = draw(frame, counted(frame, Cell("wbc", 200, 150, 120, 100, 0.9)))
    assert (frame.pixels == 200).all()
    assert (marked.time_s, marked.sequence, marked.source) == (1.5, 9, "slides/a.jpg")


def test_the_legend_stands_beneath_with_a_dot_of_every_class_even_of_none() -> None:
    frame = grey_frame()
    marked = draw(frame, counted(frame))
    assert marked.width_px == 800
    legend = marked.pixels[600:]
    places = [np.nonzero(is_near(legend, colour))[1].mean() for colour in (BLUE, GREEN, RED)]
    assert places == sorted(places)
    assert (legend < 100).any()  # And there is text.


def test_a_legend_of_other_numbers_looks_otherwise() -> None:
    frame = grey_frame()
    one = draw(frame, counted(frame, Cell("rbc", 100, 100, 40, 40, 0.9)))
    two = draw(frame, counted(frame, *[Cell("rbc", 100, 100, 40, 40, 0.9)] * 2))
    assert (one.pixels[600:] != two.pixels[600:]).any()


@pytest.mark.parametrize(
    ("width_px", "height_px", "zoom"), [(363, 360, 2), (100, 80, 7), (640, 480, 1), (1600, 1200, 1)]
)
def test_a_small_picture_is_drawn_larger_and_the_marks_with_it(width_px: int, height_px: int, zoom: int) -> None:
    frame = grey_frame(width_px, height_px)
    cell = Cell("wbc", width_px / 2, height_px / 2, width_px / 4, height_px / 4, 0.9)
    marked = draw(frame, counted(frame, cell))
    assert marked.width_px == zoom * width_px
    rows, columns = np.nonzero(is_near(marked.pixels[: zoom * height_px], BLUE))
    assert columns.mean() == pytest.approx(zoom * width_px / 2, rel=0.02)
    assert rows.mean() == pytest.approx(zoom * height_px / 2, rel=0.02)


@pytest.mark.parametrize(("width_px", "height_px"), [(1, 1), (1, 900), (3000, 2)])
def test_pictures_of_odd_shapes_are_drawn_too(width_px: int, height_px: int) -> None:
    frame = grey_frame(width_px, height_px)
    marked = draw(frame, counted(frame, Cell("rbc", 0.5, 0.5, 1, 1, 0.9)))
    assert marked.height_px > height_px


def test_many_long_labels_still_fit_into_the_width() -> None:
    frame = grey_frame(640, 480)
    labels = [f"kind of cell {number}" for number in range(6)]
    count = Count.of([], labels, seen=Seen("a.jpg", 0, 0.0, 0, 0.0), width_px=640, height_px=480)
    legend = draw(frame, count).pixels[480:]
    assert (legend[:, -3:] == 255).all()
    assert (legend < 120).any()
