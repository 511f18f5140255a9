from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_sdk.errors import CameraError
from edge_sdk.sources import Options, open_camera
from edge_sdk.sources.sim import SimSource


def render(number: int, **settings: float) -> np.ndarray:
    frame = SimSource("smear", Options(settings, "sim://smear")).read(number)
    assert frame is not None
    return frame.pixels


def test_a_seed_and_a_number_make_a_frame_and_another_of_either_makes_another() -> None:
    np.testing.assert_array_equal(render(5, seed=3), render(5, seed=3))
    assert (render(5, seed=3) != render(5, seed=4)).any()
    assert (render(5, seed=3) != render(6, seed=3)).any()


def test_frames_have_the_size_that_is_asked_for() -> None:
    assert render(0, width_px=320, height_px=200).shape == (200, 320, 3)
    assert render(0).shape == (480, 640, 3)


def test_neighbouring_frames_differ_by_noise_and_distant_ones_by_more() -> None:
    source = SimSource("smear", Options({"seed": 1}, "sim://smear"))
    first, second, later = (source.read(n).pixels.astype(float) for n in (0, 3, 60))  # type: ignore[union-attr]
    assert 1 < np.abs(first - second).mean() < 6  # 3 frames are a whole number of flickers at 30 Hz and 100 Hz.
    assert np.abs(first - later).mean() > 2 * np.abs(first - second).mean()


def test_the_light_flickers_and_the_focus_breathes() -> None:
    source = SimSource("smear", Options({"seed": 1}, "sim://smear"))
    frames = [source.read(n).pixels for n in range(0, 170, 7)]  # type: ignore[union-attr]
    means = np.array([frame.mean() for frame in frames])
    edges = np.array([np.abs(np.diff(frame.astype(float), axis=1)).mean() for frame in frames])
    assert 0.005 < means.std() / means.mean() < 0.03
    assert edges.max() > 1.05 * edges.min()


def test_the_stage_moves_on_to_other_fields() -> None:
    source = SimSource("smear", Options({"rate_hz": 10}, "sim://smear"))
    fields = [source.read(n).pixels.mean(axis=(0, 1)) for n in (0, 80, 160, 240, 320)]  # type: ignore[union-attr]
    assert all(np.abs(a - b).max() > 5 for a, b in itertools.pairwise(fields[:4]))
    np.testing.assert_allclose(fields[0], fields[4], atol=8)  # And after the last comes the first again.


def test_it_is_never_frozen() -> None:
    source = SimSource("smear", Options({}, "sim://smear"))
    digests = {source.read(n).pixels[::8].tobytes() for n in range(60)}  # type: ignore[union-attr]
    assert len(digests) == 60


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sim://moon", "no simulated scene 'moon'"),
        ("sim://smear?colour=red", "no setting 'colour'"),
        ("sim://smear?rate_hz=0", "above 0"),
        ("sim://smear?seed=x", "seed=x"),
    ],
)
def test_what_it_does_not_know_is_refused(uri: str, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        open_camera(uri)
