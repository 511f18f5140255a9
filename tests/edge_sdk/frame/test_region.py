from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.errors import FrameError
from edge_sdk.frame import Frame
from edge_sdk.frame.region import box_px


def test_shares_of_a_frame_cover_it_without_a_gap() -> None:
    left, right = (box_px((x, 0.0, 1 / 3, 1.0), 100, 60) for x in (0.0, 1 / 3))
    assert left[0] + left[2] == right[0]
    assert box_px((0.0, 0.0, 1.0, 1.0), 641, 479) == (0, 0, 641, 479)


def test_numbers_of_numpy_are_numbers() -> None:
    assert box_px(np.array([10, 20, 30, 40]), 640, 480) == (10, 20, 30, 40)  # type: ignore[arg-type]
    assert box_px(np.float32([0.25, 0.25, 0.5, 0.5]), 640, 480) == (160, 120, 320, 240)  # type: ignore[arg-type]


def test_whole_numbers_are_pixels() -> None:
    assert box_px((0, 0, 1, 1), 640, 480) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    "region", [(600, 0, 50, 10), (-1, 0, 5, 5), (0, 0, 0, 5), (0.5, 0.5, 0.6, 0.1), (0.0, 0.0, 0.0001, 0.5)]
)
def test_a_region_beyond_the_frame_or_empty_is_refused_with_the_frames_size(region: tuple[float, ...]) -> None:
    with pytest.raises(FrameError, match="640x480"):
        box_px(region, 640, 480)


@pytest.mark.parametrize("region", [(1, 2, 3), "1,2,3,4", (0.1, 0.1, float("nan"), 0.2), (1, 2, 3, "4")])
def test_what_is_no_region_is_refused_with_an_example(region: object) -> None:
    with pytest.raises(FrameError) as caught:
        box_px(region, 640, 480)  # type: ignore[arg-type]
    assert "160, 120, 320, 240" in (caught.value.fix or "")


def test_a_cut_is_the_same_frame_by_name_and_shares_no_memory() -> None:
    frame = Frame(np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3), 2.5, 7, "camera", 2)
    cut = frame.crop((1, 2, 2, 3))
    assert (cut.time_s, cut.sequence, cut.source, cut.reduction) == (2.5, 7, "camera", 2)
    assert np.array_equal(cut.pixels, frame.pixels[2:5, 1:3])
    assert not np.shares_memory(cut.pixels, frame.pixels)
