"""Train the encoder and the centre head on the smear pictures.

    python models/smear/train_vision.py --data FOLDER

Writes ``build/smear/vision.pt`` now and then (weights, averaged weights, optimizer) and a line
of progress to ``build/smear/vision.log``; ``--resume`` goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import torch
from data import default_data, read_folder, split
from choose import held_out_scores
from target import Views
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler
from vision import Vision

BATCH = 16
_CLASS_WEIGHT = (1.0, 1.5, 1.5)
_SIZE_WEIGHT, _DENSITY_WEIGHT, _COVER_WEIGHT, _FILM_WEIGHT = 1.0, 0.05, 0.2, 0.2
_WARM_UP = 0.03
_EPOCH_VIEWS = 862


def centre_loss(logits: Tensor, heat: Tensor, judged: Tensor) -> Tensor:
    """Weigh centre maps by the penalty-reduced focal loss, each class by its own number of cells.

    Source: Law and Deng 2018, CornerNet, arXiv:1808.01244, eq. 1.
    """
    found = torch.sigmoid(logits).clamp(1e-4, 1 - 1e-4)
    peak = (heat == 1).float()
    hit = (1 - found) ** 2 * torch.log(found) * peak
    miss = (1 - heat) ** 4 * found**2 * torch.log(1 - found) * (1 - peak)
    total = -((hit + miss) * judged[:, None]).sum((0, 2, 3))
    weight = torch.tensor(_CLASS_WEIGHT)
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


class _From(Sampler[int]):
    """Indices in order from a start, so that a resumed run sees new views."""

    def __init__(self, start: int, stop: int) -> None:
        self.span = range(start, stop)

    def __iter__(self) -> Iterator[int]:
        return iter(self.span)

    def __len__(self) -> int:
        return len(self.span)


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)


def _save(path: Path, model: nn.Module, mean: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    state = {"model": model.state_dict(), "average": mean.state_dict(), "optimizer": optimizer.state_dict(),
             "step": step}
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--out", type=Path, default=Path("build/smear/vision.pt"))
    parser.add_argument("--epochs", type=int, default=110)
    parser.add_argument("--minutes", type=float, help="end after this long instead; the pace follows the clock")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--start", type=Path, help="begin from the averaged weights of this checkpoint")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    return parser.parse_args()


def train(options: argparse.Namespace) -> None:
    """Run the whole training."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    steps = options.epochs * _EPOCH_VIEWS // BATCH
    limit_s = options.minutes * 60 if options.minutes else None
    views = Views(options.data, steps * BATCH if limit_s is None else 10**8, options.seed)
    held_out = split(read_folder(options.data / "smear" / "train", side_px=288))[1]
    model = Vision().to(memory_format=torch.channels_last)
    if options.start:
        model.load_state_dict(torch.load(options.start, weights_only=True)["average"])
    mean = deepcopy(model).eval()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.rate)
    first = 0
    if options.resume:
        state = torch.load(options.out, weights_only=True)
        model.load_state_dict(state["model"])
        mean.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    loader = DataLoader(views, BATCH, sampler=_From(first * BATCH, len(views)), num_workers=1,
                        prefetch_factor=6, worker_init_fn=_start_worker, drop_last=True)
    began = told = time.monotonic()
    seen, last = np.zeros(3), first
    for step, batch in enumerate(loader, first + 1):
        now = time.monotonic()
        done = (now - began) / limit_s if limit_s else step / steps
        for group in optimizer.param_groups:
            group["lr"] = options.rate * pace(done)
        parts = losses(model, batch)
        optimizer.zero_grad()
        sum(parts, torch.zeros(())).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        average(model, mean, step)
        seen += [float(p.detach()) for p in parts]
        if now - told > 60 or done >= 1:
            means = " ".join(f"{s:.3f}" for s in seen / (step - last))
            _tell(options.out, f"{now - began:.0f} s step {step} done {done:.3f} loss {means}")
            seen[:], told, last = 0, now, step
        if step % 200 == 0 or done >= 1:
            _save(options.out, model, mean, optimizer, step)
        if step % 800 == 0 or done >= 1:
            _tell(options.out, f"step {step} held out {held_out_scores(mean, held_out)}")
        if done >= 1:
            break


def _tell(out: Path, line: str) -> None:
    with out.with_suffix(".log").open("a") as log:
        print(line, file=log)
    print(line, flush=True)


if __name__ == "__main__":
    train(_options())
