"""The gate on seeded noise: noise alone is never news for long, a small cell always is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import edge_sdk as edge
from edge_sdk.frame import Frame
from edge_sdk.pipeline.gate import Gate

SCENE = Frame.open(Path(edge.__file__).parent / "data/photos/smear-2.jpg").pixels
SETTLED = 6  # frames, by when the noise is known
LEVELS = [0.0, 1.0, 2.5, 5.0, 10.0]


class Sensor:
    """A camera that stands still: noise of a deviation, more of it in the light, and the mains' flicker."""

    def __init__(self, deviation: float, *, shot: float = 0.0, flicker: float = 0.0) -> None:
        self._random = np.random.default_rng(11)
        self._deviation, self._shot, self._flicker = deviation, shot, flicker
        self._noise = self._random.standard_normal((SCENE.shape[0] + 64, SCENE.shape[1] + 64, 3), np.float32)

    def see(self, scene: NDArray[np.uint8]) -> Frame:
        height, width = scene.shape[:2]
        dy, dx = self._random.integers(0, 64, 2)
        light = scene * np.float32(1 + self._flicker * np.sin(self._random.uniform(0, 2 * np.pi)))
        noise = self._noise[dy : dy + height, dx : dx + width] * np.sqrt(self._deviation**2 + self._shot * light)
        return Frame.of(np.clip(np.rint(light + noise), 0, 255).astype(np.uint8), source="sensor")


def with_cell(random: np.random.Generator, *, diameter_px: int = 14, contrast: int = 30) -> NDArray[np.uint8]:
    """Give the scene with one more small cell: a platelet of these photographs has 35 pixels."""
    scene, height, width = SCENE.copy(), *SCENE.shape[:2]
    where = (int(random.integers(10, width - 10)), int(random.integers(10, height - 10)))
    mask = cv2.circle(np.zeros((height, width), np.uint8), where, diameter_px // 2, 1, -1)
    return cv2.subtract(scene, np.full_like(scene, contrast), dst=scene, mask=mask)  # type: ignore[return-value]


@pytest.mark.parametrize("deviation", LEVELS)
def test_noise_alone_is_no_news_at_any_level(deviation: float) -> None:
    sensor, gate = Sensor(deviation), Gate()
    news = [gate.is_new(sensor.see(SCENE)) for _ in range(60)]
    assert news[0]
    assert not any(news[SETTLED:])


@pytest.mark.parametrize("deviation", LEVELS)
def test_one_small_cell_is_seen_at_any_level_of_noise(deviation: float) -> None:
    sensor, gate, random = Sensor(deviation), Gate(), np.random.default_rng(3)
    for _ in range(SETTLED):
        gate.is_new(sensor.see(SCENE))
    for _ in range(20):
        assert gate.is_new(sensor.see(with_cell(random)))  # the cell that was there before has gone, too


def test_a_change_of_one_cell_is_news_once_and_then_what_is_known() -> None:
    sensor, gate = Sensor(2.5), Gate()
    scene = with_cell(np.random.default_rng(1))
    news = [gate.is_new(sensor.see(view)) for view in [SCENE] * 10 + [scene] * 10 + [SCENE] * 10]
    assert [number for number in range(SETTLED, 30) if news[number]] == [10, 20]


def test_noise_that_grows_with_the_light_is_no_news() -> None:
    dark = (SCENE // 4).astype(np.uint8)
    dark[:40, :40] = 230  # a bright corner in a dark field
    sensor, gate = Sensor(1.0, shot=0.05), Gate()
    assert not any([gate.is_new(sensor.see(dark)) for _ in range(40)][SETTLED:])


def test_light_that_flickers_with_the_mains_is_no_news() -> None:
    sensor, gate = Sensor(1.5, flicker=0.012), Gate()
    assert not any([gate.is_new(sensor.see(SCENE)) for _ in range(60)][SETTLED:])


def test_a_lamp_that_goes_down_by_a_tenth_is_news() -> None:
    sensor, gate = Sensor(1.5), Gate()
    for _ in range(SETTLED):
        gate.is_new(sensor.see(SCENE))
    assert gate.is_new(sensor.see(cv2.convertScaleAbs(SCENE, alpha=0.9)))  # type: ignore[arg-type]


def test_drift_that_no_two_frames_show_adds_up_until_it_is_news() -> None:
    sensor, gate = Sensor(1.0), Gate()
    for _ in range(SETTLED):
        gate.is_new(sensor.see(SCENE))
    moved = [np.array([[1, 0, step / 20], [0, 1, 0]]) for step in range(60)]  # three pixels in all
    news = [gate.is_new(sensor.see(cv2.warpAffine(SCENE, by, SCENE.shape[1::-1]))) for by in moved]  # type: ignore[arg-type]
    assert 2 <= sum(news) < 60


def test_a_scene_that_changes_in_every_frame_is_never_taken_for_noise() -> None:
    random, gate = np.random.default_rng(2), Gate()
    frames = [random.integers(0, 256, (48, 64, 3), np.uint8).repeat(10, 0).repeat(10, 1) for _ in range(40)]
    assert all(gate.is_new(Frame.of(pixels, source="video")) for pixels in frames)


def test_a_change_of_colour_that_grey_does_not_show_is_news() -> None:
    sensor, gate = Sensor(1.0), Gate()
    for _ in range(SETTLED):
        gate.is_new(sensor.see(SCENE))
    tinted = SCENE.copy()
    tinted[200:216, 200:216] = np.clip(tinted[200:216, 200:216] + np.array([46, -14, 10]), 0, 255)
    grey = [cv2.cvtColor(view, cv2.COLOR_BGR2GRAY)[200:216, 200:216].mean() for view in (SCENE, tinted)]
    assert abs(grey[0] - grey[1]) < 1
    assert gate.is_new(sensor.see(tinted))


def test_another_source_or_size_begins_anew() -> None:
    sensor, gate = Sensor(1.0), Gate()
    for _ in range(SETTLED):
        gate.is_new(sensor.see(SCENE))
    assert not gate.is_new(sensor.see(SCENE))
    assert gate.is_new(Frame(sensor.see(SCENE).pixels, 0.0, 0, "another"))
    assert gate.is_new(Frame.of(np.zeros((20, 30, 3), np.uint8)))


@pytest.mark.parametrize("side_px", [24, 80, 120])
def test_a_small_region_of_all_brightnesses_has_known_noise_and_news(side_px: int) -> None:
    scene = np.linspace(10, 245, side_px, dtype=np.uint8)[None, :, None].repeat(side_px, 0).repeat(3, 2)
    changed = scene.copy()
    changed[: side_px // 2, : side_px // 2] += 40
    sensor, gate = Sensor(1.0), Gate()
    for _ in range(SETTLED):
        gate.is_new(sensor.see(scene))
    assert gate.limit is not None
    assert gate.limit < 12
    assert gate.is_new(sensor.see(changed))
