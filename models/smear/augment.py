"""Random views of blood films: scale, colour, sharpness, and platelets pasted in."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from data import SIDE_PX, Boxes, Picture, Pixels
from numpy.typing import NDArray

_KEPT_PART = 0.3
_PLATELET = 2
_RBC = 1
# Where a picture holds too few red cells to tell: about the median side of their boxes in training (0.20), a fraction.
_RBC_SIDE = 0.19
_GREY = np.full((3, 3), 1 / 3, np.float32)


@dataclass(frozen=True, slots=True)
class Patch:
    """A platelet as the light it lets through, relative to the film around it.

    Attributes
    ----------
    ratio : (h, w, 3) float32
        1 where it is as light as the film; at the scale of pictures of 288 pixels a side.
    rbc_side : float
        Side of the red cells around it, as a fraction of the picture.
    """

    ratio: NDArray[np.float32]
    rbc_side: float


def collect_patches(pictures: list[Picture]) -> list[Patch]:
    """Cut every platelet out of the training pictures, with a rim of film around it."""
    patches = []
    for picture in pictures:
        side = picture.pixels.shape[0]
        red = picture.boxes[picture.boxes[:, 0] == _RBC]
        red_side = float(np.median(red[:, 3:5] - red[:, 1:3])) if len(red) else _RBC_SIDE
        for row in picture.boxes[picture.boxes[:, 0] == _PLATELET]:
            rim = 0.35 * (row[3:5] - row[1:3])
            x0, y0 = np.maximum((row[1:3] - rim) * side, 0).astype(int)
            x1, y1 = np.minimum((row[3:5] + rim) * side + 1, side).astype(int)
            cut = picture.pixels[y0:y1, x0:x1].astype(np.float32)
            edge = np.concatenate([cut[0], cut[-1], cut[:, 0], cut[:, -1]])
            film = np.maximum(np.percentile(edge, 75, axis=0), 40)
            small = cv2.resize(cut / film, None, fx=SIDE_PX / side, fy=SIDE_PX / side)
            if min(small.shape[:2]) >= 8 and row[1:3].min() > 0.01 and row[3:5].max() < 0.99:
                patches.append(Patch(np.minimum(small, 1.15), red_side))
    return patches


def _window(
    picture: Picture, span: NDArray[np.float64], size: tuple[int, int], rng: np.random.Generator
) -> tuple[Pixels, Boxes]:
    """Cut a random window of ``span`` (fractions w, h), resized to ``size`` px, turned at random."""
    side = picture.pixels.shape[0]
    start = rng.random(2) * (1 - span)
    x0, y0 = (start * side).astype(int)
    x1, y1 = np.maximum(((start + span) * side).astype(int), (x0 + 2, y0 + 2))
    turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    target = size[::-1] if turns % 2 else size
    cut = picture.pixels[y0:y1, x0:x1]
    method = cv2.INTER_AREA if target[0] < x1 - x0 else cv2.INTER_LINEAR
    pixels = cv2.resize(cut, target, interpolation=method)
    boxes = picture.boxes.copy()
    boxes[:, [1, 3]] = (boxes[:, [1, 3]] * side - x0) / (x1 - x0)
    boxes[:, [2, 4]] = (boxes[:, [2, 4]] * side - y0) / (y1 - y0)
    for _ in range(turns):
        boxes = boxes[:, [0, 2, 1, 4, 3]]
        boxes[:, [2, 4]] = 1 - boxes[:, [4, 2]]
    pixels = np.rot90(pixels, turns)
    if mirrored:
        pixels = pixels[:, ::-1]
        boxes[:, [1, 3]] = 1 - boxes[:, [3, 1]]
    return pixels, boxes


def _clip(boxes: Boxes) -> tuple[Boxes, Boxes]:
    """Part boxes into those still in view (clipped) and slivers too small to judge."""
    area = (boxes[:, 3] - boxes[:, 1]) * (boxes[:, 4] - boxes[:, 2])
    clipped = boxes.copy()
    clipped[:, 1:] = boxes[:, 1:].clip(0, 1)
    left = (clipped[:, 3] - clipped[:, 1]) * (clipped[:, 4] - clipped[:, 2])
    seen = left > _KEPT_PART * area
    # A cell cut by the frame of the original photograph was labelled as a whole box.
    return clipped[seen], clipped[(left > 0) & ~seen]


def view(pictures: list[Picture], first: Picture, rng: np.random.Generator) -> tuple[Pixels, Boxes, Boxes]:
    """Compose a random view: one window of a picture, or windows of several side by side.

    Returns
    -------
    pixels : (288, 288, 3) uint8
    boxes : (n, 5) float32
        Cells to find.
    slivers : (m, 5) float32
        Cells too far out of view to be asked for or denied.
    """
    kind = rng.random()
    stretch = np.exp(rng.uniform(-0.16, 0.16) * np.array([0.5, -0.5]))
    if kind < 0.62:
        scale = 1.0 if kind < 0.2 else float(np.exp(rng.uniform(0, np.log(1.6))))
        span = np.minimum(stretch / scale, 1.0)
        pixels, boxes = _window(first, span, (SIDE_PX, SIDE_PX), rng)
        return np.ascontiguousarray(pixels), *_clip(boxes)
    return _mosaic(pictures, first, stretch, 2 if kind < 0.88 else 3, rng)


def _mosaic(
    pictures: list[Picture], first: Picture, stretch: NDArray[np.float64], across: int, rng: np.random.Generator
) -> tuple[Pixels, Boxes, Boxes]:
    """Lay windows of ``across`` times ``across`` pictures side by side, as at a lower magnification."""
    if across == 2:
        scale = float(np.exp(rng.uniform(np.log(0.5), 0)))
        inner = rng.uniform(max(1 - scale, 0.3), max(min(scale, 0.7), 0.5), (1, 2))
    else:
        scale = float(rng.uniform(0.34, 0.55))
        inner = rng.uniform([[0.3], [0.63]], [[0.37], [0.7]], (2, 2))
    cuts = np.vstack([np.zeros((1, 2), int), (inner * SIDE_PX).astype(int), np.full((1, 2), SIDE_PX)])
    canvas = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
    kept, slivers = [], []
    for part in range(across**2):
        column, line = part % across, part // across
        low = np.array([cuts[column, 0], cuts[line, 1]])
        high = np.array([cuts[column + 1, 0], cuts[line + 1, 1]])
        size = high - low
        picture = first if part == 0 else pictures[int(rng.integers(len(pictures)))]
        span = np.minimum(stretch * size / SIDE_PX / scale, 1.0)
        pixels, boxes = _window(picture, span, (int(size[0]), int(size[1])), rng)
        canvas[low[1] : high[1], low[0] : high[0]] = pixels
        for rows, out in zip(_clip(boxes), (kept, slivers), strict=True):
            rows[:, [1, 3]] = (rows[:, [1, 3]] * size[0] + low[0]) / SIDE_PX
            rows[:, [2, 4]] = (rows[:, [2, 4]] * size[1] + low[1]) / SIDE_PX
            out.append(rows)
    return canvas, np.concatenate(kept), np.concatenate(slivers)


def paste_platelets(pixels: Pixels, boxes: Boxes, patches: list[Patch], rng: np.random.Generator) -> Boxes:
    """Multiply platelets into free film, in place, and return the boxes with theirs added."""
    red = boxes[boxes[:, 0] == _RBC]
    red_side = float(np.median(red[:, 3:5] - red[:, 1:3])) if len(red) > 2 else _RBC_SIDE
    for _ in range(int(rng.integers(1, 5))):
        patch = patches[int(rng.integers(len(patches)))]
        zoom = red_side / patch.rbc_side * float(np.exp(rng.uniform(-0.25, 0.25)))
        ratio = np.rot90(patch.ratio, int(rng.integers(4)))
        height, width = (max(6, round(n * zoom)) for n in ratio.shape[:2])
        if max(height, width) > 90:
            continue
        ratio = cv2.resize(np.ascontiguousarray(ratio), (width, height), interpolation=cv2.INTER_AREA)
        for _ in range(6):
            x, y = int(rng.integers(0, SIDE_PX - width)), int(rng.integers(0, SIDE_PX - height))
            rim = np.array([width, height]) * 0.35 / 1.7
            box = np.array([x + rim[0], y + rim[1], x + width - rim[0], y + height - rim[1]]) / SIDE_PX
            over = np.minimum(boxes[:, 3:5], box[2:]) - np.maximum(boxes[:, 1:3], box[:2])
            if len(boxes) == 0 or not (over > 0.15 * (box[2:] - box[:2])).all(axis=1).any():
                _multiply(pixels[y : y + height, x : x + width], ratio)
                boxes = np.vstack([boxes, np.float32([_PLATELET, *box])])
                break
    return boxes


def _multiply(place: Pixels, ratio: NDArray[np.float32]) -> None:
    height, width = ratio.shape[:2]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    mask = np.clip((1.0 - (x * x + y * y)) / 0.45, 0, 1)[:, :, None]
    place[:] = np.clip(place * (1 + mask * (ratio - 1)), 0, 255).astype(np.uint8)


def recolour(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Shift hue, saturation, white balance, gamma and contrast, as other cameras and stains do."""
    if rng.random() < 0.85:
        angle, saturation = rng.normal(0, 0.22), np.exp(rng.normal(0, 0.3))
        if rng.random() < 0.06:
            saturation = 0.0
        mix = _GREY + saturation * (_hue(float(angle)) - _GREY)
        pixels = cv2.transform(pixels, mix.astype(np.float32))
        gain = np.exp(rng.normal(0, 0.08, 3) + rng.normal(0, 0.12))
        gamma = np.exp(rng.normal(0, 0.22) + rng.normal(0, 0.06, 3))
        lift = rng.normal(0, 10)
        levels = np.linspace(0, 1, 256)[:, None]
        table = np.clip(255 * gain * levels**gamma + lift, 0, 255).astype(np.uint8)
        pixels = cv2.LUT(pixels, table.reshape(1, 256, 3))
    return pixels


def _hue(angle: float) -> NDArray[np.float32]:
    """Return the rotation of RGB about the grey axis."""
    cos, sin = np.cos(angle), np.sin(angle) / np.sqrt(3)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32)
    return (cos * np.eye(3) + sin * cross + (1 - cos) * _GREY).astype(np.float32)


def degrade(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Blur, shade, add noise and compress, each now and then."""
    if rng.random() < 0.25:
        pixels = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.4, 1.8)))
    if rng.random() < 0.15:
        corners = rng.uniform(0.7, 1.1, (2, 2)).astype(np.float32)
        shade = cv2.resize(corners, (SIDE_PX, SIDE_PX))[:, :, None]
        pixels = np.clip(pixels * shade, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        noise = np.empty(pixels.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(noise, (0, 0, 0), (float(rng.uniform(2, 12)),) * 3)
        pixels = cv2.add(pixels, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.25:
        _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))])
        pixels = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return pixels
