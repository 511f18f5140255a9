"""The network that finds cells: an encoder at stride 8 and a centre head at stride 4.

Full 3x3 convolutions with ReLU6 throughout: they keep activations in a narrow
range, which is what static INT8 needs, and train faster on a CPU than depthwise ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

FEATURES = 64
GRID = 36
CENTRES = 72
# An untrained map should say "no cell" almost everywhere, or the first steps are spent on that.
_PRIOR_LOGIT = -4.0
_PRIOR_SIZE_LOGIT = -1.6


class Conv(nn.Sequential):
    """Convolve, normalise, clamp to 0..6."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, clamp: bool = True) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([nn.ReLU6()] if clamp else []))


class Block(nn.Module):
    """Add two convolutions to what comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Conv(width, width)
        self.second = Conv(width, width, clamp=False)
        self.clamp = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.clamp(x + self.second(self.first(x))))


class Encoder(nn.Module):
    """Turn pictures into features on a 36x36 grid.

    Input ``(n, 3, 288, 288)`` float32 RGB from 0 to 1; output ``(n, 64, 36, 36)`` from 0 to 6.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(3, 16, stride=2), Conv(16, 24, stride=2), Block(24))
        self.eighth = nn.Sequential(Conv(24, 64, stride=2), Block(64))
        self.sixteenth = nn.Sequential(Conv(64, 96, stride=2), Block(96), Block(96))
        self.thirtysecond = nn.Sequential(Conv(96, 128, stride=2), Block(128), Block(128))
        self.lift_low = Conv(128, 96, 1, clamp=False)
        self.merge_low = Conv(96, 96)
        self.lift = Conv(96, 64, 1, clamp=False)
        self.clamp = nn.ReLU6()
        self.merge = Conv(64, FEATURES)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        eighth = self.eighth(self.stem(x))
        sixteenth = self.sixteenth(eighth)
        low = self.grow(self.lift_low(self.thirtysecond(sixteenth)))
        low = self.merge_low(self.clamp(sixteenth + low))
        high = self.grow(self.lift(low))
        return cast(Tensor, self.merge(self.clamp(eighth + high)))


class Head(nn.Module):
    """Turn features into centre and size logits ``(n, 5, 72, 72)``.

    Channels: WBC, RBC and platelet centres, then box width and height.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mix = Conv(FEATURES, 64)
        # Kernel 2 at stride 2: a 1x1 convolution followed by depth-to-space, as one layer.
        self.spread = nn.ConvTranspose2d(64, 5, 2, 2)
        nn.init.normal_(self.spread.weight, std=0.02)
        with torch.no_grad():
            cast(Tensor, self.spread.bias).copy_(torch.tensor([_PRIOR_LOGIT] * 3 + [_PRIOR_SIZE_LOGIT] * 2))

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.spread(self.mix(features)))


class Hints(nn.Module):
    """Read counts, covered area and "is a film" linearly off the features.

    Only for training: it makes the features carry what the language part pools.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Conv2d(FEATURES, 4, 1)
        self.film = nn.Linear(FEATURES, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dense = self.dense(features)
        return torch.relu(dense[:, :3]), dense[:, 3], self.film(features.mean((2, 3)))[:, 0]


class Vision(nn.Module):
    """Encoder, head and training hints together."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.head = Head()
        self.hints = Hints()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        features = self.encoder(x)
        density, cover, film = self.hints(features)
        return self.head(features), density, cover, film


def load_vision(checkpoint: str | Path) -> Vision:
    """Load the averaged weights of a checkpoint, ready to evaluate."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = Vision()
    model.load_state_dict(state["average"])
    return model.eval()
