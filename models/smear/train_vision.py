"""Train the encoder and the centre head on the smear pictures.

    python models/smear/train_vision.py --data FOLDER

Writes ``build/smear/vision.pt`` now and then (weights, averaged weights, optimizer) and a line
of progress to ``build/smear/vision.log``; ``--resume`` goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import torch
from data import CLASSES, SIDE_PX, Picture, default_data, read_folder, split
from metric import class_scores, match
from target import Views
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler
from vision import Vision

from edge_sdk.pipeline.centre import CentreRule, find_centres

_ROOT = Path(__file__).resolve().parents[2]
BATCH = 16
_CLASS_WEIGHT = (1.0, 1.5, 1.5)
_SIZE_WEIGHT, _DENSITY_WEIGHT, _COVER_WEIGHT, _FILM_WEIGHT = 1.0, 0.05, 0.2, 0.2
_WARM_UP = 0.03
_EPOCH_VIEWS = 868
_ENDLESS = 10**8
_SAVE_STEPS, _CHECK_STEPS, _TELL_S = 200, 800, 60
# Only to follow the training; the bundle's own are chosen at export.
_CHECK_RULE = CentreRule((0.35,) * 3, (0.5,) * 3)


def centre_loss(logits: Tensor, heat: Tensor, judged: Tensor) -> Tensor:
    """Weigh centre maps by the penalty-reduced focal loss, each class by its own number of cells.

    Source: Law and Deng 2018, CornerNet, arXiv:1808.01244, eq. 1.
    """
    found = torch.sigmoid(logits).clamp(1e-4, 1 - 1e-4)
    peak = (heat == 1).float()
    hit = (1 - found) ** 2 * torch.log(found) * peak
    miss = (1 - heat) ** 4 * found**2 * torch.log(1 - found) * (1 - peak)
    total = -((hit + miss) * judged[:, None]).sum((0, 2, 3))
    weight = torch.tensor(_CLASS_WEIGHT, device=total.device)
    return (weight * total / peak.sum((0, 2, 3)).clamp(min=4)).sum()


def size_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Compare box sides by the ratio to the true ones, around the centres."""
    gap = (functional.logsigmoid(logits) - torch.log(batch["size"])).abs().sum(1)
    return (gap * batch["sized"]).sum() / batch["sized"].sum().clamp(min=1)


def hint_loss(density: Tensor, cover: Tensor, film: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Ask the features for counts per ninth of the picture, covered area, and film or not."""
    truth = functional.avg_pool2d((batch["heat"] == 1).float(), 24, divisor_override=1)
    counts = functional.avg_pool2d(density, 12, divisor_override=1)
    local = functional.smooth_l1_loss(counts, truth)
    whole = functional.smooth_l1_loss(counts.sum((2, 3)), truth.sum((2, 3)))
    area = functional.binary_cross_entropy_with_logits(cover, batch["cover"])
    known = functional.binary_cross_entropy_with_logits(film, batch["film"])
    return _DENSITY_WEIGHT * (4 * local + whole) + _COVER_WEIGHT * area + _FILM_WEIGHT * known


def losses(model: Vision, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Return centre, size and hint losses of a batch."""
    pixels = batch["pixels"].contiguous(memory_format=torch.channels_last).float() / 255
    logits, density, cover, film = model(pixels)
    return (
        centre_loss(logits[:, :3], batch["heat"], batch["judged"]),
        _SIZE_WEIGHT * size_loss(logits[:, 3:], batch),
        hint_loss(density, cover, film, batch),
    )


def pace(done: float) -> float:
    """Return the share of the top learning rate at a share of the run: warm up, then a cosine."""
    return min(1.0, done / _WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * min(done, 1.0))) + 1e-3


@torch.no_grad()
def average(model: nn.Module, mean: nn.Module, step: int, decay: float = 0.998) -> None:
    """Move the averaged weights towards the present ones."""
    keep = min(decay, (1 + step) / (10 + step))
    for slow, fast in zip(mean.state_dict().values(), model.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)


@torch.no_grad()
def held_out_scores(model: Vision, pictures: list[Picture]) -> str:
    """Sum up F1 and counting accuracy of each class in a line, at fixed thresholds."""
    tables = []
    device = next(model.parameters()).device
    for start in range(0, len(pictures), 8):
        group = pictures[start : start + 8]
        pixels = torch.from_numpy(np.stack([p.pixels for p in group])).permute(0, 3, 1, 2).float() / 255
        maps = torch.sigmoid(model(pixels.to(device))[0]).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        for picture, out in zip(group, maps, strict=True):
            tables.append(match(find_centres(out[..., :3], out[..., 3:], _CHECK_RULE), picture.boxes))
    parts = []
    for kind, name in enumerate(CLASSES):
        got = class_scores(np.stack(tables)[:, kind]) or {"f1": 0.0, "count_accuracy": 0.0}
        parts.append(f"{name} {got['f1']:.3f}/{got['count_accuracy']:.3f}")
    return " ".join(parts)


class _From(Sampler[int]):
    """Indices in order from a start, so that a resumed run sees new views."""

    def __init__(self, start: int, stop: int) -> None:
        self.span = range(start, stop)

    def __iter__(self) -> Iterator[int]:
        return iter(self.span)

    def __len__(self) -> int:
        return len(self.span)


class Training:
    """Weights, their average and the optimizer, and where they are kept."""

    def __init__(self, out: Path, rate: float, device: str, *, resume: bool) -> None:
        self.out, self.rate, self.device, self.step, self.done = out, rate, device, 0, 0.0
        self.model = Vision().to(device, memory_format=torch.channels_last)
        self.mean = deepcopy(self.model).eval()
        weights = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": weights, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=rate)
        if resume:
            state = torch.load(out, map_location=device, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.mean.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.done = state["step"], state["done"]

    def learn(self, batch: dict[str, Tensor], done: float) -> list[float]:
        """Take one step at a share ``done`` of the run, and return the losses before it."""
        self.step, self.done = self.step + 1, done
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * pace(done)
        parts = losses(self.model, {name: values.to(self.device) for name, values in batch.items()})
        self.optimizer.zero_grad()
        sum(parts, torch.zeros((), device=self.device)).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        average(self.model, self.mean, self.step)
        return [float(p.detach()) for p in parts]

    def save(self) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        state = {
            "model": self.model.state_dict(),
            "average": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "done": self.done,
        }
        part = self.out.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.out)

    def tell(self, line: str) -> None:
        """Show a line of progress, and keep it."""
        with self.out.with_suffix(".log").open("a") as log:
            print(line, file=log)
        print(line, flush=True)


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)


def train(options: argparse.Namespace) -> None:
    """Run the whole training."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    steps = options.epochs * _EPOCH_VIEWS // BATCH
    limit_s = options.minutes * 60 if options.minutes else None
    views = Views(options.data, _ENDLESS if limit_s else steps * BATCH, options.seed)
    held_out = split(read_folder(options.data / "smear" / "train", SIDE_PX))[1]
    training = Training(options.out, options.rate, options.device, resume=options.resume)
    order = _From(training.step * BATCH, len(views))
    loader = DataLoader(
        views, BATCH, sampler=order, num_workers=1, prefetch_factor=6, worker_init_fn=_start_worker, drop_last=True
    )
    first, began = training.done, time.monotonic()
    told = began
    seen: list[list[float]] = []
    for batch in loader:
        now = time.monotonic()
        done = first + (1 - first) * (now - began) / limit_s if limit_s else (training.step + 1) / steps
        seen.append(training.learn(batch, done))
        if now - told > _TELL_S or done >= 1:
            means = " ".join(f"{mean:.3f}" for mean in np.mean(seen, axis=0))
            training.tell(f"{now - began:.0f} s, step {training.step}, {done:.1%}, loss {means}")
            seen, told = [], now
        if training.step % _SAVE_STEPS == 0 or done >= 1:
            training.save()
        if training.step % _CHECK_STEPS == 0 or done >= 1:
            training.tell(f"step {training.step}, held out F1/count: {held_out_scores(training.mean, held_out)}")
        if done >= 1:
            break


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--out", type=Path, default=_ROOT / "build" / "smear" / "vision.pt")
    parser.add_argument("--epochs", type=int, default=95)
    parser.add_argument("--minutes", type=float, help="end after this long instead, a resumed run too")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="where PyTorch computes: cpu, cuda, mps ...")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    return parser.parse_args()


if __name__ == "__main__":
    train(_options())
