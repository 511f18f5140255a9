"""Tell a frame that shows something new from one that differs from another by the sensor's noise alone."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sdk.frame import Frame
from edge_sdk.frame.opencv import cv2

__all__ = ["Gate"]

Floats = NDArray[np.float32]

# Blocks of 8 pixels, and larger ones where there would be more than this along a side: of 16 at 1920x1080.
_HALVINGS, _MOST_BLOCKS = 3, 120
# Of 20 000 values (blocks, three channels) under normal noise one passes six deviations in 25 000 frames.
_DEVIATIONS = 6.0
# Levels of 0 to 255. Below the least, steps of a camera's JPEG would pass for news: their grid is one or two levels
# coarse. Above the most nothing is ever called noise: a scene that moves in every frame looks like a noisy sensor.
_LEAST, _MOST = 2.5, 12.0
# Mains light flickers; up to this much, all over the picture alike, is no news.
_FLICKER = 0.05
_BINS, _BIN_LEVELS = 4, 64  # Noise grows with light. Source: EMVA Standard 1288, release 4.0, section 2.
_BIN_LEAST = 64  # Blocks of a brightness, for a quantile that means something.
# Pairs of frames that the noise is known from. The lower quarter of them counts: in the others things may move.
_PAIRS, _PAIRS_LEAST, _QUIET = 32, 4, 0.25
_EVERY = 8  # Once it is known, it is measured on every eighth frame: it takes as long as all the rest.
# A normal value is within 2.326 deviations in 98 of 100 cases. The usual median would call a camera's JPEG noiseless,
# in which most blocks stay and some jump; what moves in more than 2 of 100 blocks is kept in bounds by _MOST.
_SHARE, _SHARE_DEVIATIONS = 0.98, 2.326


class Gate:
    """Says whether a frame shows more than an earlier one does; belongs to one thread at a time.

    Frames are compared as means of small blocks, in all three channels, with the frame that was kept, so that slow
    drift adds up until it is seen. A block is new where it differs by more than six deviations of its noise, and
    that is measured on the frames themselves: the median difference of blocks of like brightness from one frame to
    the next. Until it is known from four pairs of frames, every frame is new.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> def still():
    ...     return Frame.of(np.clip(random.normal(128, 3, (120, 160, 3)), 0, 255).astype(np.uint8))
    >>> gate = Gate()
    >>> [gate.is_new(still()) for _ in range(7)]
    [True, True, True, True, False, False, False]
    """

    def __init__(self) -> None:
        self._kept: Floats | None = None
        self._last: Floats | None = None
        self._about: tuple[str, int, int] | None = None
        self._noise: deque[Floats] = deque(maxlen=_PAIRS)
        self._limits: Floats | None = None
        self._frames = 0

    @property
    def limit(self) -> float | None:
        """By how many levels, of 255, a block must differ to be new, where noise is greatest; None until known."""
        return None if self._limits is None else float(self._limits.max())

    def is_new(self, frame: Frame) -> bool:
        """Say whether a frame shows anything that the kept one does not; then it is kept in its stead."""
        blocks = _blocks(frame)
        about = (frame.source, frame.width_px, frame.height_px)
        if self._about != about:
            self._about, self._kept, self._last, self._limits = about, None, None, None
            self._noise.clear()
        self._frames += 1
        if self._last is not None and (self._limits is None or self._frames % _EVERY == 0):
            self._learn(blocks, self._last)
        self._last = blocks
        new = self._kept is None or self._limits is None or _differs(blocks, self._kept, self._limits)
        if new:
            self._kept = blocks
        return new

    def _learn(self, blocks: Floats, last: Floats) -> None:
        """Measure the noise between two frames; from several such measurements, set the limits."""
        self._noise.append(_measure(_difference(blocks, last), blocks))
        if len(self._noise) >= _PAIRS_LEAST:
            found = np.stack(self._noise)
            found = np.where(np.isnan(found), np.nanmax(found, axis=1, keepdims=True), found)
            deviations = np.quantile(found, _QUIET, axis=0)
            self._limits = np.asarray(np.clip(_DEVIATIONS * deviations, _LEAST, _MOST), np.float32)


def _differs(blocks: Floats, kept: Floats, limits: Floats) -> bool:
    limit = np.take_along_axis(limits, _bins(kept), axis=0)
    return bool((np.abs(_difference(blocks, kept)) > limit).any())


def _blocks(frame: Frame) -> Floats:
    """Give the means of a frame's blocks: ``(n, 3) float32``."""
    halvings = _HALVINGS
    while max(frame.width_px, frame.height_px) >> halvings > _MOST_BLOCKS:
        halvings += 1
    small = np.empty(((frame.height_px + 1) // 2, (frame.width_px + 1) // 2, 3), np.uint8)
    frame.shrink_into(small)
    for _ in range(halvings - 2):
        small = np.asarray(_halved(small), np.uint8)
    return np.asarray(_halved(small.astype(np.float32)), np.float32).reshape(-1, 3)


def _halved(picture: NDArray[np.uint8] | Floats) -> cv2.typing.MatLike:
    # Rounded up, so that the last row and column are never left out.
    size = ((picture.shape[1] + 1) // 2, (picture.shape[0] + 1) // 2)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _difference(blocks: Floats, other: Floats) -> Floats:
    """Subtract, once the light is made alike as far as it may flicker."""
    gain = _quantile(blocks / np.maximum(other, np.float32(1)), 0.5)
    return blocks - other * (gain if abs(gain - 1) <= _FLICKER else np.float32(1))


def _measure(difference: Floats, blocks: Floats) -> Floats:
    """Measure the noise for each brightness and channel; NaN where too few blocks are so bright."""
    size, bins = np.abs(difference), _bins(blocks)
    least = min(_BIN_LEAST, max(1, len(size) // _BINS))  # of few blocks, those of one brightness are always enough
    noise = np.full((_BINS, 3), np.nan, np.float32)
    for number in range(_BINS):
        for channel in range(3):
            some = size[bins[:, channel] == number, channel]
            if len(some) >= least:
                noise[number, channel] = _quantile(some, _SHARE) / _SHARE_DEVIATIONS
    return noise


def _bins(blocks: Floats) -> NDArray[np.intp]:
    return (blocks / _BIN_LEVELS).astype(np.intp).clip(0, _BINS - 1)


def _quantile(values: NDArray[Any], share: float) -> np.float32:
    """Give a quantile in a tenth of numpy's time: a value itself, never one between two."""
    flat, place = values.ravel(), int(values.size * share)
    return np.float32(np.partition(flat, place)[place])
