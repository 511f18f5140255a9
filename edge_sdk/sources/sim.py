"""A simulated microscope camera, asked for by name: ``sim://smear`` shows real blood films that move.

Nothing falls back to it. What a real camera does to a picture is done to shipped photographs: the stage
drifts by parts of a pixel, focus breathes, mains light flickers, and the sensor adds noise. A frame depends
on the seed and its number alone.

Source: EMVA Standard 1288, release 4.0, section 2, for noise whose variance grows in proportion to the light.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import CameraError
from edge_sdk.frame import Frame
from edge_sdk.frame.opencv import cv2
from edge_sdk.frame.picture import read
from edge_sdk.sources.source import Options

__all__ = ["SimSource"]

_PHOTOS = Path(__file__).resolve().parents[1] / "data" / "photos"
_SCENES = {"smear": "smear-*.jpg"}

_FIELD_S = 8.0  # How long the stage stays on one photograph.
_DRIFT = 0.02  # Of the picture's width, to either side.
_DRIFT_PERIODS_S = (11.0, 7.3)
_FOCUS_PERIOD_S = 5.7
_FOCUS_BLUR_PX = 1.2  # Sigma at the worst, for a picture of 640 pixels.
_SHARP_BLUR_PX = 0.3  # Below this a blur changes nothing that could be seen.
_MAINS_FLICKER_HZ = 100.0
_FLICKER = 0.015
_NOISE_SHIFT_PX = 64
_READ_VARIANCE = 1.5
_SHOT_VARIANCE = 0.02  # Per level of brightness: a standard deviation of 2.5 levels in the white.


class SimSource:
    """Shipped photographs, as a moving microscope's camera would show them.

    Parameters
    ----------
    target : str
        The scene; ``smear`` is the one there is.
    options : Options
        ``seed``, ``rate_hz`` (30), ``width_px`` (640) and ``height_px`` (480).

    Raises
    ------
    CameraError
        If there is no such scene.
    """

    live = True

    def __init__(self, target: str, options: Options) -> None:
        seed = options.take("seed", int, 0)
        self._rate_hz = options.take("rate_hz", float, 30.0)
        self._size = (options.take("width_px", int, 640), options.take("height_px", int, 480))
        options.check()
        if target not in _SCENES:
            raise CameraError(
                f"There is no simulated scene {target!r}.",
                fix=f"There is: {', '.join(f'sim://{name}' for name in _SCENES)}.",
            )
        if not (self._rate_hz and all(self._size)):
            raise CameraError(f"sim://{target} needs a size and a rate above 0.", fix="Leave them out for 640x480.")
        self.name = f"sim://{target}"
        self.interval_s = 1 / self._rate_hz
        self._photos = [read(path)[0] for path in sorted(_PHOTOS.glob(_SCENES[target]))]
        self._seed = seed
        self._phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 4)
        self._noise = self._make_noise()
        levels = np.arange(256, dtype=np.float32)
        self._deviation = np.sqrt(_READ_VARIANCE + _SHOT_VARIANCE * levels)[None]

    def read(self, sequence: int) -> Frame | None:
        """Render the frame of that number."""
        at_s = sequence / self._rate_hz
        photo = self._photos[int(at_s / _FIELD_S) % len(self._photos)]
        pixels = self._add_noise(self._light(self._focus(self._move(photo, at_s), at_s), at_s), sequence)
        return Frame(pixels, time.monotonic(), sequence, self.name)

    def reopen(self) -> None:
        """Do nothing: a simulated camera does not come unplugged."""

    def interrupt(self) -> None:
        """Do nothing: it never waits."""

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _move(self, photo: NDArray[np.uint8], at_s: float) -> NDArray[np.uint8]:
        """Show the photograph where the stage has drifted to, by parts of a pixel."""
        width, height = self._size
        drift_px = _DRIFT * width
        scale = max((width + 2 * drift_px) / photo.shape[1], (height + 2 * drift_px) / photo.shape[0])
        x, y = (
            drift_px * math.sin(2 * math.pi * at_s / period_s + phase)
            for period_s, phase in zip(_DRIFT_PERIODS_S, self._phase, strict=False)
        )
        left = (width - photo.shape[1] * scale) / 2 + x
        top = (height - photo.shape[0] * scale) / 2 + y
        place = np.array([[scale, 0, left], [0, scale, top]])
        border = cv2.BORDER_REFLECT_101
        moved = cv2.warpAffine(photo, place, self._size, flags=cv2.INTER_LINEAR, borderMode=border)
        return np.asarray(moved, np.uint8)

    def _focus(self, pixels: NDArray[np.uint8], at_s: float) -> NDArray[np.uint8]:
        swing = math.sin(math.pi * at_s / _FOCUS_PERIOD_S + self._phase[2]) ** 2
        sigma_px = _FOCUS_BLUR_PX * self._size[0] / 640 * swing
        if sigma_px < _SHARP_BLUR_PX:
            return pixels
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma_px), np.uint8)

    def _light(self, pixels: NDArray[np.uint8], at_s: float) -> NDArray[np.uint8]:
        gain = 1 + _FLICKER * math.sin(2 * math.pi * _MAINS_FLICKER_HZ * at_s + self._phase[3])
        return np.asarray(cv2.convertScaleAbs(pixels, alpha=gain), np.uint8)

    def _make_noise(self) -> NDArray[np.float32]:
        """Draw noise once, larger than a frame: drawing it anew for each takes longer than all the rest."""
        shape = (self._size[1] + _NOISE_SHIFT_PX, self._size[0] + _NOISE_SHIFT_PX, 3)
        return np.random.default_rng(self._seed).standard_normal(shape, np.float32)

    def _add_noise(self, pixels: NDArray[np.uint8], sequence: int) -> NDArray[np.uint8]:
        dx, dy = np.random.default_rng((self._seed, sequence)).integers(0, _NOISE_SHIFT_PX, 2)
        noise = self._noise[dy : dy + self._size[1], dx : dx + self._size[0]]
        scaled = cv2.multiply(cv2.LUT(pixels, self._deviation), noise)
        return np.asarray(cv2.add(pixels, scaled, dtype=cv2.CV_8U), np.uint8)
