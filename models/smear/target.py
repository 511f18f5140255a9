"""What the vision network learns from: augmented views and the maps they should give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from augment import collect_patches, degrade, paste_platelets, recolour, view
from data import Boxes, Pixels, draw_digit, generate_stranger, read_digits, read_folder, read_strangers, split
from numpy.typing import NDArray
from torch.utils.data import Dataset
from vision import CENTRES, GRID

_SPREAD = 0.14
_LEAST_SPREAD_CELLS = 0.8
_STRANGERS = 0.08
_PASTED = 0.55
_PLATELET_WEIGHT = 2.0

Sample = dict[str, NDArray[np.generic]]


def draw_targets(boxes: Boxes, slivers: Boxes) -> Sample:
    """Draw centre maps, sizes and cover of the cells in view.

    Returns
    -------
    dict
        ``heat (3, 72, 72)``: Gaussians as wide as the cells, 1 at each centre;
        ``size (2, 72, 72)`` and ``sized (72, 72)``: box sides and where they are asked for;
        ``judged (72, 72)``: 0 where slivers lie; ``cover (36, 36)``: 1 inside any box.
    """
    heat = np.zeros((3, CENTRES, CENTRES), np.float32)
    size = np.full((2, CENTRES, CENTRES), 0.5, np.float32)
    sized = np.zeros((CENTRES, CENTRES), np.float32)
    judged = np.ones((CENTRES, CENTRES), np.float32)
    cover = np.zeros((GRID, GRID), np.float32)
    for _, *corners in slivers:
        x0, y0, x1, y1 = (np.array(corners) * CENTRES + [0, 0, 1, 1]).astype(int)
        judged[y0:y1, x0:x1] = 0
    steps = np.arange(CENTRES, dtype=np.float32)
    for row in boxes[np.argsort(boxes[:, 0] == 0)[::-1]]:
        kind, side = int(row[0]), np.maximum(row[3:5] - row[1:3], 1e-3)
        column, line = ((row[1:3] + row[3:5]) / 2 * CENTRES).clip(0, CENTRES - 1).astype(int)
        spread = np.maximum(side * CENTRES * _SPREAD, _LEAST_SPREAD_CELLS)
        across = np.exp(-0.5 * ((steps - column) / spread[0]) ** 2)
        down = np.exp(-0.5 * ((steps - line) / spread[1]) ** 2)
        np.maximum(heat[kind], down[:, None] * across[None], out=heat[kind])
        near = np.s_[max(line - 1, 0) : line + 2, max(column - 1, 0) : column + 2]
        size[0][near], size[1][near], sized[near] = side[0], side[1], 1
        judged[line, column] = 1
        x0, y0, x1, y1 = np.round(row[1:] * GRID).astype(int)
        cover[y0:y1, x0:x1] = 1
    return {"heat": heat, "size": size, "sized": sized, "judged": judged, "cover": cover}


class Views(Dataset[Sample]):
    """Endless random views of the training pictures; view ``i`` is the same on every run."""

    def __init__(self, data: Path, length: int, seed: int) -> None:
        self.pictures = split(read_folder(data / "smear" / "train"))[0]
        self.patches = collect_patches(self.pictures)
        self.clothing = read_strangers(data)
        self.digits = read_digits(data)
        weight = np.array([_PLATELET_WEIGHT if (p.boxes[:, 0] == 2).any() else 1.0 for p in self.pictures])
        self.odds = weight / weight.sum()
        self.length, self.seed = length, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng((self.seed, index))
        film = rng.random() >= _STRANGERS
        boxes = slivers = np.zeros((0, 5), np.float32)
        if film:
            first = self.pictures[int(rng.choice(len(self.pictures), p=self.odds))]
            pixels, boxes, slivers = view(self.pictures, first, rng)
            if rng.random() < _PASTED:
                boxes = paste_platelets(pixels, boxes, self.patches, rng)
        else:
            pixels = self._stranger(rng)
        pixels = degrade(recolour(pixels, rng), rng)
        return {
            "pixels": np.ascontiguousarray(pixels.transpose(2, 0, 1)),
            "film": np.float32(film),
            **draw_targets(boxes, slivers),
        }

    def _stranger(self, rng: np.random.Generator) -> Pixels:
        kind = rng.random()
        if kind < 0.5:
            pixels = self.clothing[int(rng.integers(len(self.clothing)))]
            return np.ascontiguousarray(pixels[:, :: int(rng.choice([1, -1]))])
        if kind < 0.65:
            return draw_digit(self.digits, rng)
        return generate_stranger(rng)
