"""A mapping network over places: a grid of visual tokens, each of which says what lies there.

Neighbouring tokens can be averaged: 144 become 36, 16 or 9, and each still says what lies in its part of the field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from language import WIDTH, Mapper, Perception
from torch import Tensor, nn

# Places along a side: six points of the centre map each (four of a picture of 192 px), four to a third of the field.
PLACES = 12
_CLASSES = 3
# Waves across the field that a place is told by; averaged over places, the short ones tell how far apart these lie.
_WAVES = (0.5, 1.0, 2.0, 3.0)
_PLACE_SCALE = 0.6
_CELL_SCALE = 1.0


@dataclass(frozen=True, slots=True)
class Field:
    """What lies where, for a batch of ``n`` pictures; places row by row.

    Attributes
    ----------
    cells : (n, 144, 3) float32
        Cells of each class (WBC, RBC, platelet) at each place.
    cover : (n, 144) float32
        Part of each place that cells cover.
    film : (n,) float32
        How sure it is that the picture is a blood film, 0 to 1.
    """

    cells: Tensor
    cover: Tensor
    film: Tensor


def see(perception: Perception, features: Tensor) -> Field:
    """Read a field off the encoder's features ``(n, 1296, 64)``."""
    kept, cover, film = perception.look(features)
    points, step = kept.shape[-1] // PLACES, cover.shape[-1] // PLACES
    cells = F.avg_pool2d(kept, points, points) * float(points * points)
    covered = F.avg_pool2d(cover, step, step) * perception.cover_fit[0] + perception.cover_fit[1]
    flat = PLACES * PLACES
    return Field(cells.reshape(-1, _CLASSES, flat).permute(0, 2, 1), covered.reshape(-1, flat), film)


class PlaceMapper(nn.Module):
    """Tell a field as visual tokens ``(n, 144, width)``, linearly: averages of tokens are tokens of averages."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        # Cells of each class, whether there is any, cover, film.
        self.content = nn.Parameter(torch.randn(2 * _CLASSES + 2, width) * _CELL_SCALE)
        self.place = nn.Parameter(_waves() @ torch.randn(4 * len(_WAVES) + 1, width) * _PLACE_SCALE)

    @torch.no_grad()
    def begin_with(self, spelled: Mapper) -> None:
        """Take over how a third of the field is spelled, and a white cell or a platelet in it: the decoder knows it."""
        levels = spelled.third.weight.T
        third = torch.arange(PLACES) * 3 // PLACES
        slots = spelled.slot[-9:][(3 * third[:, None] + third).reshape(-1)]
        half = len(levels) // 2
        self.place.copy_(0.5 * self.place + slots + levels[0] + levels[half])
        self.content[0], self.content[2] = levels[1] - levels[0], levels[half + 1] - levels[half]
        self.content[_CLASSES : 2 * _CLASSES] *= 0.5

    def forward(self, field: Field) -> Tensor:
        film = field.film[:, None, None].expand(-1, PLACES * PLACES, 1)
        told = torch.cat([field.cells, field.cells.clamp(max=1), field.cover[..., None], film], 2)
        # A sum of products stays in floats where a matrix is made INT8.
        return (told[..., None] * self.content).sum(2) + self.place


def _waves() -> Tensor:
    """Give each place's waves along both sides, and a constant: ``(144, 17)``."""
    at = (torch.arange(PLACES) + 0.5) / PLACES
    angles = at[:, None] * torch.tensor(_WAVES) * 2 * math.pi
    side = torch.cat([torch.sin(angles), torch.cos(angles)], 1)
    rows = side[:, None].expand(-1, PLACES, -1)
    columns = side[None].expand(PLACES, -1, -1)
    waves = torch.cat([rows, columns, torch.ones(PLACES, PLACES, 1)], 2).reshape(PLACES * PLACES, -1)
    return waves / math.sqrt(waves.shape[1] / 2)


class PlaceAdapter(nn.Module):
    """The mapping network: features ``(1, 1296, 64)`` to visual tokens ``(1, 144, width)``."""

    def __init__(self, perception: Perception, mapper: PlaceMapper) -> None:
        super().__init__()
        self.perception, self.mapper = perception, mapper

    def forward(self, soft_tokens: Tensor) -> dict[str, Tensor]:
        return {"mm_embedding": self.mapper(see(self.perception, soft_tokens))}
