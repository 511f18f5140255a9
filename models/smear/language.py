"""The networks that speak: a mapping network from features to visual tokens, and a small decoder.

The mapping network looks for cells with its own copy of the centre head, keeps the
highest point of each (peak pooling), adds the peaks up over the field and over its
nine thirds, and spells every number as one vector. The decoder is Llama-shaped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from litert_torch.generative.custom_ops.bmm_4d import bmm_4d
from litert_torch.generative.custom_ops.dynamic_update_slice import dynamic_update_slice
from torch import Tensor, nn
from vision import CENTRES, FEATURES, Head

WIDTH = 128
# Four totals (WBC, RBC, platelets, all), one for cover and kind of picture, nine thirds of the field.
VISUAL_TOKENS = 14
# The greatest number that a token spells.
MOST = 99
_NUMBERS = MOST + 1
_COVER_STEPS = 41
_FILM_STEPS = 5
_THIRD_LEVELS = 4
_CLASSES = 3
# Peak pooling looks 1.5 points of the centre map around, and 2 more with every widening.
_WIDENINGS = 6
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the decoder."""

    vocabulary: int
    width: int = WIDTH
    layers: int = 3
    heads: int = 4
    hidden: int = 320

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


@dataclass(frozen=True, slots=True)
class Scene:
    """What the mapping network saw, as numbers, for a batch of ``n`` pictures.

    Attributes
    ----------
    thirds : (n, 3, 9) float32
        Cells of each class (WBC, RBC, platelet) in each third of the field, row by row.
    cover : (n,) float32
        Part of the field that cells cover, 0 to 1.
    film : (n,) float32
        How sure it is that the picture is a blood film, 0 to 1.
    """

    thirds: Tensor
    cover: Tensor
    film: Tensor


class Perception(nn.Module):
    """Read a :class:`Scene` off the encoder's features ``(n, 1296, 64)``.

    A point of a centre map counts as a cell where it passes its class's threshold
    and nothing within its radius is higher. As when cells are located one by one,
    the radius is a share of the size the head reads there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = Head()
        self.cover = nn.Conv2d(FEATURES, 1, 1)
        self.film = FilmJudge()
        self.register_buffer("thresholds", torch.full((_CLASSES,), 0.35))
        self.register_buffer("radii", torch.full((_CLASSES,), 0.5))
        # Slope and offset that carry the mean of the cover map to the labelled cover.
        self.register_buffer("cover_fit", torch.tensor([1.0, 0.0]))

    def forward(self, features: Tensor) -> Scene:
        kept, cover, film = self.look(features)
        third = CENTRES // 3
        thirds = F.avg_pool2d(kept, third, third) * float(third * third)
        covered = cover.mean((1, 2, 3)) * self.cover_fit[0] + self.cover_fit[1]
        return Scene(thirds.reshape(-1, _CLASSES, 9), covered.clamp(0, 1), film)

    def look(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give cells ``(n, 3, 72, 72)``, 1 at the centre of each, cover ``(n, 1, 36, 36)`` and film ``(n,)``.

        Features of a smaller picture, ``(n, s * s, 64)``, give maps of ``2 s`` and ``s`` points a side.
        """
        side = math.isqrt(features.shape[1])
        grid = features.reshape(-1, side, side, FEATURES).permute(0, 3, 1, 2)
        maps = torch.sigmoid(self.head(grid))
        scores, side_cells = maps[:, :_CLASSES], maps[:, _CLASSES:].mean(1, keepdim=True) * maps.shape[-1]
        kept = self._peaks(scores, side_cells)
        return kept, torch.sigmoid(self.cover(grid)), torch.sigmoid(self.film(pool(grid)))

    def _peaks(self, scores: Tensor, side_cells: Tensor) -> Tensor:
        """Mark with 1 every point that is a cell.

        The best first, each clearing its surroundings: every round keeps the peaks that
        no other tops and drops those that a kept one tops, as taking them in turn would.
        """
        radius = side_cells * self.radii.reshape(1, _CLASSES, 1, 1)
        # Products of clamps stand for comparisons: every kernel library has them.
        sure = ((scores - self.thresholds.reshape(1, _CLASSES, 1, 1)) * 200 + 0.5).clamp(0, 1)
        peak = scores * _at_least(scores, F.max_pool2d(scores, 3, 1, 1)) * (sure * 1e4).clamp(0, 1)
        kept = torch.zeros_like(scores)
        for _ in range(_ROUNDS):
            new = _at_least(peak, _highest(peak, radius)) * (peak * 1e4).clamp(0, 1)
            kept = kept + new
            peak = peak * (1 - _highest(new, radius))
        return kept * sure


class FilmJudge(nn.Module):
    """Tell blood films from other pictures by pooled features ``(n, 128)``; logits ``(n,)``."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * FEATURES, 32)
        self.verdict = nn.Linear(32, 1)

    def forward(self, pooled: Tensor) -> Tensor:
        return cast(Tensor, self.verdict(torch.relu(self.hidden(pooled))))[:, 0]


def pool(grid: Tensor) -> Tensor:
    """Pool features ``(n, 64, 36, 36)`` to their means and their greatest values ``(n, 128)``."""
    return torch.cat([grid.mean((2, 3)), grid.amax((2, 3))], 1)


def _at_least(a: Tensor, b: Tensor) -> Tensor:
    """Give 1 where ``a`` is not below ``b``."""
    return ((a - b) * 1e4 + 1).clamp(0, 1)


def _highest(x: Tensor, radius_cells: Tensor) -> Tensor:
    """Give the greatest value within each point's own radius."""
    highest = F.max_pool2d(x, 3, 1, 1)
    reach = 1.5
    wide = highest
    for _ in range(_WIDENINGS):
        # Widening by a small octagon again and again is widening by a large one.
        wide = torch.maximum(F.max_pool2d(wide, (3, 5), 1, (1, 2)), F.max_pool2d(wide, (5, 3), 1, (2, 1)))
        within = ((radius_cells - (reach + 1)) * 100 + 0.5).clamp(0, 1)
        highest = torch.maximum(highest, wide * within)
        reach += 2
    return highest


class Mapper(nn.Module):
    """Spell a scene as visual tokens ``(n, 14, width)``."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.number = nn.Linear(_NUMBERS + 2, width, bias=False)
        self.third = nn.Linear(2 * _THIRD_LEVELS, width, bias=False)
        self.view = nn.Linear(_COVER_STEPS + _FILM_STEPS, width, bias=False)
        self.slot = nn.Parameter(torch.randn(VISUAL_TOKENS, width) * 0.5)
        for layer in (self.number, self.third, self.view):
            nn.init.normal_(layer.weight, std=0.5)

    def forward(self, scene: Scene) -> Tensor:
        totals = scene.thirds.sum(2)
        totals = torch.cat([totals, totals.sum(1, keepdim=True)], 1).clamp(0, _NUMBERS - 1)
        sized = torch.stack([totals / _NUMBERS, torch.log(totals + 1) / 5], 2)
        numbers = self.number(torch.cat([_spell(totals, _NUMBERS), sized], 2))
        cover = _spell(scene.cover[:, None] * (_COVER_STEPS - 1), _COVER_STEPS)
        film = _spell(scene.film[:, None] * (_FILM_STEPS - 1), _FILM_STEPS)
        view = self.view(torch.cat([cover, film], 2))
        few = scene.thirds.clamp(0, _THIRD_LEVELS - 1)
        spots = torch.cat([_spell(few[:, 0], _THIRD_LEVELS), _spell(few[:, 2], _THIRD_LEVELS)], 2)
        return cast(Tensor, torch.cat([numbers, view, self.third(spots)], 1) + self.slot)


def _spell(value: Tensor, steps: int) -> Tensor:
    """Put ``(n, m)`` values on a ruler: ``(n, m, steps)``, 1 at the value, shared between two marks."""
    marks = torch.arange(steps, dtype=torch.float32, device=value.device)
    return (1 - (value[..., None] - marks).abs()).clamp(min=0)


class Adapter(nn.Module):
    """The mapping network: features ``(1, 1296, 64)`` to visual tokens ``(1, 14, width)``."""

    def __init__(self, perception: Perception, mapper: Mapper) -> None:
        super().__init__()
        self.perception, self.mapper = perception, mapper

    def forward(self, soft_tokens: Tensor) -> dict[str, Tensor]:
        return {"mm_embedding": self.mapper(self.perception(soft_tokens))}


class Norm(nn.Module):
    """Scale each vector to unit mean square."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * self.weight


class Layer(nn.Module):
    """Attend, then transform."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        w = shape.width
        self.before, self.between = Norm(w), Norm(w)
        self.query, self.key, self.value, self.out = (nn.Linear(w, w, bias=False) for _ in range(4))
        self.gate, self.up = nn.Linear(w, shape.hidden, bias=False), nn.Linear(w, shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, w, bias=False)

    def split(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Give query, key and value ``(n, heads, t, head_width)``, the first two turned by position."""
        n, t, _ = x.shape
        x = self.before(x)
        q, k, v = (
            part(x).reshape(n, t, self.shape.heads, self.shape.head_width).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        return rotate(q, turn), rotate(k, turn), v

    def join(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add what was attended to, then the feed-forward part."""
        n, t, w = x.shape
        x = x + self.out(attended.transpose(1, 2).reshape(n, t, w))
        y = self.between(x)
        return x + cast(Tensor, self.down(F.silu(self.gate(y)) * self.up(y)))

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor | None = None) -> Tensor:
        q, k, v = self.split(x, turn)
        return self.join(x, F.scaled_dot_product_attention(q, k, v, mask, is_causal=mask is None))


def rotary(positions: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Give cosines and sines ``(t, width / 2)`` for rotary positions (Su et al. 2021, arXiv:2104.09864)."""
    rates = torch.exp(torch.arange(width // 2, dtype=torch.float32) * (-math.log(10_000.0) * 2 / width))
    angles = positions.to(torch.float32)[:, None] * rates.to(positions.device)[None]
    return torch.cos(angles), torch.sin(angles)


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turn each pair (first half, second half) by its position's angle."""
    cos, sin = turn
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


class Decoder(nn.Module):
    """The language model, over embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        nn.init.normal_(self.embedding.weight, std=0.5)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.last = Norm(shape.width)
        self.logits = nn.Linear(shape.width, shape.vocabulary, bias=False)
        nn.init.normal_(self.logits.weight, std=0.05)

    def forward(self, embeddings: Tensor, keep: Tensor | None = None) -> Tensor:
        """Give logits after every one of ``(n, t, width)`` embeddings, or after those that ``keep (n, t)`` marks."""
        turn = rotary(torch.arange(embeddings.shape[1], device=embeddings.device), self.shape.head_width)
        x = embeddings
        for layer in self.layers:
            x = layer(x, turn)
        return cast(Tensor, self.logits(self.last(x if keep is None else x[keep])))

    def step(
        self,
        embeddings: Tensor,
        input_pos: Tensor,
        mask: Tensor,
        caches: dict[str, Tensor],
        *,
        speak: bool,
        last_row: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Process ``(1, t, width)`` embeddings behind what the caches hold.

        Parameters
        ----------
        embeddings : (1, t, width) float32
        input_pos : (t,) int32
            Consecutive positions; only the first places the cache entries.
        mask : (1, 1, t, length) float32
            Added to the attention scores: 0, or very negative.
        caches : dict
            ``kv_cache_k_N (1, heads, length, head_width)``, ``kv_cache_v_N (1, heads, head_width, length)``.
        speak : bool
            Also give the logits.
        last_row : (1, 1, t) float32, optional
            Give them after one embedding only: that whose place holds 1, the others 0. All fill the caches, but the
            last layer goes on with that one alone.
        """
        turn = rotary(input_pos, self.shape.head_width)
        start = input_pos[0].reshape(1)
        zero = torch.zeros((1,), dtype=start.dtype)
        x, out = embeddings, {}
        for i, layer in enumerate(self.layers):
            q, k, v = cast(Layer, layer).split(x, turn)
            at_k, at_v = torch.cat([zero, zero, start, zero]), torch.cat([zero, zero, zero, start])
            k = dynamic_update_slice(caches[f"kv_cache_k_{i}"], k, [*at_k])
            v = dynamic_update_slice(caches[f"kv_cache_v_{i}"], v.transpose(2, 3), [*at_v])
            if last_row is not None and i == len(self.layers) - 1:
                # Products, which stay with the kernels that compute all around them.
                x, turn = last_row @ x, ((last_row @ turn[0][None])[0], (last_row @ turn[1][None])[0])
                mask = last_row[None] @ mask
                q = cast(Layer, layer).split(x, turn)[0]
            scores = bmm_4d(q * self.shape.head_width**-0.5, k) + mask
            x = cast(Layer, layer).join(x, bmm_4d(F.softmax(scores, -1), v))
            out |= {f"kv_cache_k_{i}": k, f"kv_cache_v_{i}": v}
        if speak:
            out["logits"] = self.logits(self.last(x))
        return out
