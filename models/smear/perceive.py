"""Fit what the mapping network reads besides cells: how much is covered, and whether it is a film.

The head's weights and the rule that makes peaks cells come from the vision part;
only two numbers for the cover and a small judge of pooled features are learnt here,
on features of the very encoder that is shipped.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from augment import degrade, recolour, view
from data import (
    SIDE_PX,
    Pixels,
    draw_digit,
    generate_stranger,
    read_digits,
    read_folder,
    read_other_films,
    read_strangers,
    split,
)
from language import Perception, pool
from numpy.typing import NDArray
from question import covered
from torch import Tensor
from vision import FEATURES, GRID, Vision

from edge_sdk.pipeline.centre import CentreRule

# From (1, 288, 288, 3) float32, 0 to 1, to features (1, 1296, 64).
Encode = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_SEED = 7
_VIEWS = 2400
_FILM_STEPS = 600
_OTHER_FILMS = 0.3
# The judge should be sure: a film taken for something else is a worse answer than the reverse.
_SMOOTHING = 0.01


def make_perception(vision: Vision, rule: CentreRule) -> Perception:
    """Take over the vision part's head, cover map and rule."""
    perception = Perception()
    perception.head.load_state_dict(vision.head.state_dict())
    dense = vision.hints.dense
    with torch.no_grad():
        perception.cover.weight.copy_(dense.weight[3:4])
        perception.cover.bias.copy_(dense.bias[3:4])  # type: ignore[union-attr, index]
        perception.thresholds.copy_(torch.tensor(rule.thresholds))
        perception.radii.copy_(torch.tensor(rule.radii))
    return perception.eval()


def fit(perception: Perception, encode: Encode, data: Path) -> None:
    """Fit the cover and the judge of films."""
    rng = np.random.default_rng(_SEED)
    kept = split(read_folder(data / "smear" / "train"))[0]
    held_out = split(read_folder(data / "smear" / "train", SIDE_PX))[1]
    grids = [_grid(encode, picture.pixels) for picture in held_out]
    _fit_cover(perception, grids, [covered(picture.boxes) for picture in held_out])
    pooled, film = [pool(g) for g in grids], [1.0] * len(grids)
    clothing, digits = read_strangers(data), read_digits(data)
    others = read_other_films(data)[::2]
    for i in range(_VIEWS):
        film.append(float(i % 2))
        group = others if others and rng.random() < _OTHER_FILMS else kept
        first = group[int(rng.integers(len(group)))]
        pixels = view(group, first, rng)[0] if i % 2 else _stranger(rng, clothing, digits)
        pooled.append(pool(_grid(encode, degrade(recolour(pixels, rng), rng))))
        if i % 200 == 0:
            print(f"perceiving {i}/{_VIEWS}", flush=True)
    _fit_film(perception, torch.cat(pooled), torch.tensor(film))


def _grid(encode: Encode, pixels: Pixels) -> Tensor:
    features = encode(pixels[None].astype(np.float32) / 255)
    return torch.from_numpy(features.copy()).reshape(1, GRID, GRID, FEATURES).permute(0, 3, 1, 2)


def _stranger(rng: np.random.Generator, clothing: list[Pixels], digits: NDArray[np.uint8]) -> Pixels:
    kind = rng.random()
    if kind < 0.2:
        return draw_digit(digits, rng)
    if kind < 0.45:
        return generate_stranger(rng)
    pixels = clothing[int(rng.integers(len(clothing)))]
    if kind < 0.75:
        # Parts of photographs: texture without an outline.
        side = int(rng.integers(40, SIDE_PX))
        x, y = (int(v) for v in rng.integers(0, SIDE_PX - side + 1, 2))
        pixels = cv2.resize(pixels[y : y + side, x : x + side], (SIDE_PX, SIDE_PX))
    return np.ascontiguousarray(np.rot90(pixels, int(rng.integers(4))))


@torch.no_grad()
def _fit_cover(perception: Perception, grids: list[Tensor], truth: list[float]) -> None:
    read = np.array([float(torch.sigmoid(perception.cover(g)).mean()) for g in grids])
    slope, offset = np.polyfit(read, np.array(truth), 1)
    perception.cover_fit.copy_(torch.tensor([slope, offset]))
    print(
        f"cover: {slope:.3f} x + {offset:.3f}, error {np.abs(read * slope + offset - truth).mean():.4f}",
        flush=True,
    )


def _fit_film(perception: Perception, pooled: Tensor, film: Tensor) -> None:
    torch.manual_seed(_SEED)
    judge = type(perception.film)()
    tools = torch.optim.AdamW(judge.parameters(), 3e-3, weight_decay=0.05)
    wanted = film * (1 - 2 * _SMOOTHING) + _SMOOTHING
    for _ in range(_FILM_STEPS):
        loss = F.binary_cross_entropy_with_logits(judge(pooled), wanted)
        tools.zero_grad()
        loss.backward()
        tools.step()
    right = ((judge(pooled) > 0).float() == film).float().mean()
    print(f"film or not: {float(right):.4f} right on what it learnt from", flush=True)
    perception.film.load_state_dict(judge.state_dict())
