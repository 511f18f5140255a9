"""Teach the decoder to answer: the mapping network's spelling and the language model, together.

The mapping network turns features into a handful of numbers before it spells them.
So language is learnt from made-up scenes, far more varied than any set of
photographs, with the encoder out of the loop: minutes instead of hours.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import question as q
import torch
import torch.nn.functional as F  # noqa: N812
from language import MOST, VISUAL_TOKENS, Decoder, Mapper, Scene, Shape
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from tokenizer import ANSWER, ASK, FRAME, STOP, VOCABULARY, load_tokenizer, train_tokenizer
from torch import Tensor, nn

SEED = 20
STEPS = 7000
BATCH = 64
RATE = 3e-3
_CORPUS_LINES = 40_000
KINDS = {
    "count": 28,
    "present": 10,
    "compare": 13,
    "where": 13,
    "crowd": 8,
    "describe": 6,
    "film": 3,
    "help": 6,
    "medical": 9,
    "finer": 7,
    "off": 18,
}
# One frame in so many has any number of one class: white cells by the dozen are rare, and must be told all the same.
_PACKED = 0.1
_VISUAL = -1
_SILENT = -100


@dataclass(frozen=True, slots=True)
class View:
    """A made-up frame: what the mapping network would read, and what is true of it.

    Attributes
    ----------
    thirds : (3, 9) float32
        Cells of each class (WBC, RBC, platelet) in each third of the field, row by row.
    cover : float
        Part of the field that cells cover.
    film : float
        How sure it is that the picture is a blood film, 0 to 1.
    facts : Facts
    """

    thirds: NDArray[np.float32]
    cover: float
    film: float
    facts: q.Facts


def imagine(rng: np.random.Generator) -> View:
    """Make up a frame: usual ones for half, anything from empty to packed for the rest."""
    if rng.random() < 0.5:
        counts = [
            int(rng.choice(4, p=[0.12, 0.6, 0.2, 0.08])),
            int(np.clip(rng.normal(16, 6), 0, 45)),
            int(rng.choice(6, p=[0.45, 0.25, 0.14, 0.08, 0.05, 0.03])),
        ]
        cover = float(np.clip(rng.normal(0.7, 0.09), 0, 1))
    else:
        counts = [
            int(rng.geometric(0.3) - 1),
            int(rng.integers(0, rng.choice([8, 30, 70]))),
            int(rng.geometric(0.2) - 1),
        ]
        cover = float(rng.random())
    if rng.random() < _PACKED:
        counts[int(rng.integers(3))] = int(rng.integers(MOST + 1))
    while sum(counts) > MOST:
        counts = [n * 3 // 4 for n in counts]
    thirds = np.zeros((3, 9), np.float32)
    for row, n in zip(thirds, counts, strict=True):
        np.add.at(row, rng.integers(0, 9, n), 1)
    film = float(rng.beta(0.15, 6)) if rng.random() < 0.13 else 1 - float(rng.beta(0.15, 6))
    places = {name: tuple(np.flatnonzero(thirds[k]).tolist()) for name, k in (("wbc", 0), ("platelet", 2))}
    facts = q.Facts((counts[0], counts[1], counts[2]), places, cover, film >= 0.5)
    if rng.random() < 0.2:
        # A peak near the threshold counts as a part.
        thirds = thirds + rng.uniform(-0.12, 0.12, thirds.shape).astype(np.float32) * (rng.random(thirds.shape) < 0.1)
    return View(thirds.clip(0), cover, film, facts)


def talk(
    rng: random.Random, chance: np.random.Generator, pieces: SentencePieceProcessor
) -> tuple[list[int], list[int], list[View]]:
    """Make up a conversation.

    Returns
    -------
    ids : list of int
        Tokens; -1 where a frame's tokens stand.
    targets : list of int
        The token that should follow each; -100 where the model is not speaking.
    views : list of View
        The frames, in order.
    """
    ids: list[int] = []
    targets: list[int] = []
    views: list[View] = []
    for turn in range(rng.choice([1, 1, 2, 3])):
        head = ASK
        shown = rng.random() < (0.86 if turn == 0 else 0.2)
        if shown:
            views.append(imagine(chance))
            head += FRAME
        facts = views[-1].facts if views else None
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        asked = q.ask(kind, rng)
        prompt = pieces.encode(head) + [_VISUAL] * (VISUAL_TOKENS * shown) + pieces.encode(asked.text + ANSWER)
        reply = pieces.encode(q.answer(asked, facts) + STOP)
        ids += prompt + reply
        targets += [_SILENT] * (len(prompt) - 1) + reply + [_SILENT]
    return ids, targets, views


@dataclass(frozen=True, slots=True)
class Batch:
    """Conversations of one length, and their frames.

    Attributes
    ----------
    ids : (n, length) int64
        Tokens; -1 where a frame's tokens stand, 0 behind the end.
    targets : (n, length) int64
        The token that should follow each; -100 where the model is not speaking.
    scene : Scene
        The frames of all conversations, in order.
    """

    ids: Tensor
    targets: Tensor
    scene: Scene

    def to(self, device: str) -> Batch:
        """Give the same on a device."""
        scene = Scene(self.scene.thirds.to(device), self.scene.cover.to(device), self.scene.film.to(device))
        return Batch(self.ids.to(device), self.targets.to(device), scene)


def batches(pieces: SentencePieceProcessor, seed: int) -> Iterator[Batch]:
    """Make up batches without end; conversations of like length go together."""
    rng, chance = random.Random(seed), np.random.default_rng(seed)
    while True:
        pool = sorted((talk(rng, chance, pieces) for _ in range(BATCH * 16)), key=lambda item: len(item[0]))
        groups = [pool[i : i + BATCH] for i in range(0, len(pool), BATCH)]
        rng.shuffle(groups)
        for group in groups:
            yield collate(group)


def collate(group: list[tuple[list[int], list[int], list[View]]]) -> Batch:
    """Pad conversations to one length."""
    longest = max(len(ids) for ids, _, _ in group)
    ids = torch.zeros(len(group), longest, dtype=torch.long)
    targets = torch.full((len(group), longest), _SILENT)
    for row, (tokens, wanted, _) in enumerate(group):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        targets[row, : len(wanted)] = torch.tensor(wanted)
    views = [view for _, _, shown in group for view in shown]
    # Short conversations come without a frame; a batch of them still needs a scene.
    return Batch(ids, targets, scene_of(views or [imagine(np.random.default_rng(0))]))


def scene_of(views: list[View]) -> Scene:
    """Stack frames."""
    return Scene(
        torch.from_numpy(np.stack([v.thirds for v in views])).float(),
        torch.tensor([v.cover for v in views], dtype=torch.float32),
        torch.tensor([v.film for v in views], dtype=torch.float32),
    )


class Speaker(nn.Module):
    """Mapping network's spelling and decoder, trained as one."""

    def __init__(self) -> None:
        super().__init__()
        self.mapper, self.decoder = Mapper(), Decoder(Shape(VOCABULARY))

    def forward(self, batch: Batch) -> Tensor:
        """Give the loss of a batch: cross entropy of what the model should say."""
        embeddings = self.decoder.embedding(batch.ids.clamp(min=0))
        spots = (batch.ids == _VISUAL)[..., None].expand_as(embeddings)
        embeddings = embeddings.masked_scatter(spots, self.mapper(batch.scene))
        spoken = batch.targets != _SILENT
        return F.cross_entropy(self.decoder(embeddings, spoken), batch.targets[spoken])


def make_tokenizer(path: Path) -> SentencePieceProcessor:
    """Train the tokenizer on made-up questions and answers."""
    rng, chance = random.Random(SEED), np.random.default_rng(SEED)
    lines = []
    for _ in range(_CORPUS_LINES // 2):
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        asked = q.ask(kind, rng)
        lines += [asked.text.strip() or "?", q.answer(asked, imagine(chance).facts)]
    path.parent.mkdir(parents=True, exist_ok=True)
    train_tokenizer(lines, path)
    return load_tokenizer(path)


def train(pieces: SentencePieceProcessor, steps: int, path: Path, device: str) -> None:
    """Train for ``steps`` batches, saving now and then."""
    torch.manual_seed(SEED)
    speaker = Speaker().to(device)
    tools = torch.optim.AdamW(speaker.parameters(), RATE, (0.9, 0.98), weight_decay=0.02)
    plan = torch.optim.lr_scheduler.OneCycleLR(tools, RATE, steps, pct_start=max(0.05, 2 / steps), final_div_factor=50)
    stream, began, smooth = batches(pieces, SEED), time.monotonic(), 0.0
    for step in range(1, steps + 1):
        loss = speaker(next(stream).to(device))
        tools.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(speaker.parameters(), 1.0)
        tools.step()
        plan.step()
        smooth = loss.item() if step == 1 else 0.98 * smooth + 0.02 * loss.item()
        if step % 100 == 0 or step == steps:
            left = (time.monotonic() - began) / step * (steps - step)
            print(f"step {step}/{steps}  loss {smooth:.4f}  {left / 60:.1f} min left", flush=True)
        if step % 500 == 0 or step == steps:
            part = path.with_suffix(".part")
            torch.save({"speaker": speaker.state_dict(), "step": step}, part)
            part.replace(path)


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[2] / "build" / "smear")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="where PyTorch computes: cpu, cuda, mps ...")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train(make_tokenizer(args.out / "tokenizer.model"), args.steps, args.out / "language.pt", args.device)


if __name__ == "__main__":
    main()
