"""Teach the decoder to read a grid of places, at every number of visual tokens at once.

    python models/smear/train_ladder.py --threads 1

It goes on from the decoder that was trained on spelled numbers (``build/smear/language.pt``): that one knows the
questions and how to answer, and learns where to read the numbers. Several questions share one frame's tokens, each
seeing the frame and itself alone, as if it was asked first. Interrupted, it goes on where it last saved.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import question as q
import torch
import torch.nn.functional as F  # noqa: N812
from language import Decoder, Shape, rotary
from numpy.typing import NDArray
from place import PLACES, Field, PlaceMapper
from sentencepiece import SentencePieceProcessor
from tokenizer import ANSWER, ASK, FRAME, STOP, VOCABULARY, load_tokenizer
from torch import Tensor, nn
from train_language import KINDS, Speaker, imagine

from edge_sdk.pipeline.visual_token import Owners, merge, pool

SEED = 21
STEPS = 1800
ROWS = 32
RATE = 2e-3
# How a batch's tokens are made fewer, how many are left, and how often.
WAYS = (("all", 144, 28), ("pool", 36, 36), ("pool", 16, 6), ("pool", 9, 14), ("merge", 72, 5), ("merge", 36, 11))
# What the decoder knew before is only kept in practice: more of the questions are those that look at the frame.
_KINDS = {**KINDS, "help": 3, "medical": 4, "finer": 3, "off": 9}
_ROW_TOKENS = 120
_ALONE, _LATER = 0.07, 0.07
_SECOND_TURN = 0.2
_VISUAL, _SILENT, _PADDING = -1, -100, -1
_SAVE_EVERY = 100


@dataclass(frozen=True, slots=True)
class View:
    """A made-up frame: what lies where, ``(144, 3)`` cells and ``(144,)`` cover, and what is true of it."""

    cells: NDArray[np.float32]
    cover: NDArray[np.float32]
    film: float
    facts: q.Facts


def imagine_places(chance: np.random.Generator) -> View:
    """Make up a frame and put every cell of it somewhere in its third."""
    view = imagine(chance)
    whole = np.rint(view.thirds)
    third, places = PLACES // 3, np.zeros((3, PLACES * PLACES), np.float32)
    for kind in range(3):
        for at in range(9):
            row, column = third * (at // 3), third * (at % 3)
            n = int(whole[kind, at])
            spots = np.array([row, column]) + chance.integers(0, third, (n + 1, 2))
            parts = np.ones(n + 1, np.float32)
            parts[n] = view.thirds[kind, at] - n
            np.add.at(places[kind], spots[:, 0] * PLACES + spots[:, 1], parts)
    return View(places.clip(0).T, _spread(view.cover, chance), view.film, view.facts)


def _spread(cover: float, chance: np.random.Generator) -> NDArray[np.float32]:
    """Give each place a covered part, so that they are ``cover`` on average."""
    parts = 1 / (1 + np.exp(-chance.normal(0, chance.uniform(0.2, 3), PLACES * PLACES)))
    mean = parts.mean()
    spread = parts * cover / mean if cover < mean else 1 - (1 - parts) * (1 - cover) / (1 - mean)
    return np.asarray(spread, np.float32)


@dataclass(frozen=True, slots=True)
class Row:
    """Questions about one frame, or a conversation: token, what follows it, part and position of each."""

    ids: list[int]
    targets: list[int]
    parts: list[int]
    positions: list[int]
    views: list[View]


class Writer:
    """Puts rows together."""

    def __init__(self, pieces: SentencePieceProcessor, seed: int, tokens: int) -> None:
        self.rng, self.chance = random.Random(seed), np.random.default_rng(seed)
        self.pieces, self.tokens = pieces, tokens

    def row(self) -> Row:
        """Write a row: about a frame, without one, or with a frame that comes later."""
        row = Row([], [], [], [], [])
        roll = self.rng.random()
        if roll < _LATER:
            self._later(row)
            return row
        view = imagine_places(self.chance) if roll > _LATER + _ALONE else None
        self._prompt(row, ASK, 0, view)
        begin, part = len(row.ids), 1
        while len(row.ids) < begin + _ROW_TOKENS:
            self._turn(row, part, view.facts if view else None, begin, head="")
            if self.rng.random() < _SECOND_TURN:
                self._turn(row, part, view.facts if view else None, begin, head=ASK)
            part += 1
        return row

    def _later(self, row: Row) -> None:
        """Two or three turns, a new frame in some of them."""
        facts = None
        for _ in range(self.rng.choice([2, 2, 3])):
            view = imagine_places(self.chance) if self.rng.random() < 0.6 else None
            facts = view.facts if view else facts
            self._prompt(row, ASK, 0, view)
            self._turn(row, 0, facts, 0, head="")

    def _prompt(self, row: Row, head: str, part: int, view: View | None) -> None:
        ids = self.pieces.encode(head + (FRAME if view else ""))
        if view:
            row.views.append(view)
            ids = ids + [_VISUAL] * self.tokens
        self._add(row, ids, [_SILENT] * len(ids), part, 0)

    def _turn(self, row: Row, part: int, facts: q.Facts | None, begin: int, head: str) -> None:
        kind = self.rng.choices(list(_KINDS), list(_KINDS.values()))[0]
        asked = q.ask(kind, self.rng)
        prompt = self.pieces.encode(head + asked.text + ANSWER)
        reply = self.pieces.encode(q.answer(asked, facts) + STOP)
        self._add(row, prompt + reply, [_SILENT] * (len(prompt) - 1) + reply + [_SILENT], part, begin)

    def _add(self, row: Row, ids: list[int], targets: list[int], part: int, begin: int) -> None:
        """Add tokens behind those of their own part; its first stands at ``begin``."""
        same = bool(row.parts) and row.parts[-1] == part
        at = row.positions[-1] + 1 if same else begin
        row.ids.extend(ids)
        row.targets.extend(targets)
        row.parts.extend([part] * len(ids))
        row.positions.extend(range(at, at + len(ids)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of ``(n, t)`` tokens, and the fields of all frames in them, in order."""

    ids: Tensor
    targets: Tensor
    positions: Tensor
    mask: Tensor
    field: Field


def collate(rows: list[Row]) -> Batch:
    """Pad rows to one length, and let every part see the first part and itself."""
    longest = max(len(row.ids) for row in rows)
    table = np.full((4, len(rows), longest), 0, np.int64)
    table[1], table[2] = _SILENT, _PADDING
    for i, row in enumerate(rows):
        for k, values in enumerate((row.ids, row.targets, row.parts, row.positions)):
            table[k, i, : len(values)] = values
    ids, targets, parts, positions = torch.from_numpy(table)
    seen = parts[:, None, :]
    mask = ((seen == 0) | (seen == parts[:, :, None])) & torch.ones(longest, longest, dtype=torch.bool).tril()
    return Batch(ids, targets, positions, mask[:, None], field_of([v for row in rows for v in row.views]))


def field_of(views: list[View]) -> Field:
    """Stack frames."""
    return Field(
        torch.from_numpy(np.stack([v.cells for v in views])).float(),
        torch.from_numpy(np.stack([v.cover for v in views])).float(),
        torch.tensor([v.film for v in views], dtype=torch.float32),
    )


def fewer(tokens: Tensor, way: str, left: int) -> Tensor:
    """Make ``(n, 144, width)`` tokens fewer, as it is done on the device."""
    if way == "all":
        return tokens
    if way == "pool":
        side = math.isqrt(tokens.shape[1] // left)
        return torch.stack([_means(pool(PLACES, PLACES, side))]).expand(len(tokens), -1, -1) @ tokens
    owners = [merge(one, left) for one in tokens.detach().numpy()]
    return torch.stack([_means(owner) for owner in owners]) @ tokens


def _means(owners: Owners) -> Tensor:
    """Give the matrix that averages tokens by owner."""
    member = F.one_hot(torch.from_numpy(owners)).float().T
    return member / member.sum(1, keepdim=True)


class Reader(nn.Module):
    """Mapping network over places and decoder, trained as one."""

    def __init__(self) -> None:
        super().__init__()
        self.mapper, self.decoder = PlaceMapper(), Decoder(Shape(VOCABULARY))

    def forward(self, batch: Batch, way: str, left: int) -> Tensor:
        """Give the loss of a batch: cross entropy of what the model should say."""
        visual = fewer(self.mapper(batch.field), way, left)
        x = self.decoder.embedding(batch.ids.clamp(min=0))
        x = x.masked_scatter((batch.ids == _VISUAL)[..., None].expand_as(x), visual)
        width = self.decoder.shape.head_width
        turn = rotary(batch.positions.reshape(-1), width)
        turn = tuple(t.reshape(*batch.positions.shape, -1)[:, None] for t in turn)
        for layer in self.decoder.layers:
            x = layer(x, turn, batch.mask)
        spoken = batch.targets != _SILENT
        logits = self.decoder.logits(self.decoder.last(x[spoken]))
        return F.cross_entropy(logits, batch.targets[spoken])


@contextmanager
def rounded(module: nn.Module) -> Iterator[None]:
    """Round the matrices to what INT8 keeps of them, row by row, while gradients are taken: straight through."""
    real = {p: p.data for p in module.parameters() if p.dim() == 2}
    for p, data in real.items():
        step = data.abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
        p.data = torch.round(data / step) * step
    try:
        yield
    finally:
        for p, data in real.items():
            p.data = data


def train(pieces: SentencePieceProcessor, steps: int, path: Path, begin_with: Path) -> None:
    """Train for ``steps`` batches, saving now and then."""
    torch.manual_seed(SEED)
    reader = Reader()
    spelled = Speaker()
    spelled.load_state_dict(torch.load(begin_with, map_location="cpu", weights_only=True)["speaker"])
    reader.decoder.load_state_dict(spelled.decoder.state_dict())
    reader.mapper.begin_with(spelled.mapper)
    tools = torch.optim.AdamW(reader.parameters(), RATE, (0.9, 0.98), weight_decay=0.02)
    # The rate follows a cycle a third longer than the run, and goes down to nothing from seven ninths of the run on.
    cycle, turn = steps * 4 // 3, steps * 7 // 9
    plan = torch.optim.lr_scheduler.OneCycleLR(tools, RATE, cycle, pct_start=max(0.05, 2 / cycle), final_div_factor=50)
    done = _resume(path, reader, tools, plan)
    began, smooth = time.monotonic(), 0.0
    for step in range(done + 1, steps + 1):
        seed = SEED * 1_000_003 + step
        way, left, _ = random.Random(seed).choices(WAYS, [weight for _, _, weight in WAYS])[0]
        writer = Writer(pieces, seed, left)
        batch = collate([writer.row() for _ in range(ROWS)])
        with rounded(reader.decoder):
            loss = reader(batch, way, left)
            tools.zero_grad(set_to_none=True)
            loss.backward()
        nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        tools.step()
        plan.step()
        if step >= turn:
            for group in tools.param_groups:
                group["lr"] = plan.get_last_lr()[0] * (steps - step) / (steps - turn)
        smooth = loss.item() if step == done + 1 else 0.97 * smooth + 0.03 * loss.item()
        if step % 50 == 0 or step == steps:
            to_go = (time.monotonic() - began) / (step - done) * (steps - step)
            print(f"step {step}/{steps}  loss {smooth:.4f}  {way} {left}  {to_go / 60:.1f} min left", flush=True)
        if step % _SAVE_EVERY == 0 or step == steps:
            parts = {"reader": reader.state_dict(), "tools": tools.state_dict(), "plan": plan.state_dict()}
            torch.save({**parts, "step": step}, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)


def _resume(
    path: Path, reader: Reader, tools: torch.optim.Optimizer, plan: torch.optim.lr_scheduler.LRScheduler
) -> int:
    if not path.exists():
        return 0
    kept = torch.load(path, map_location="cpu", weights_only=True)
    reader.load_state_dict(kept["reader"])
    tools.load_state_dict(kept["tools"])
    plan.load_state_dict(kept["plan"])
    print(f"goes on behind step {kept['step']}", flush=True)
    return int(kept["step"])


def main() -> None:
    """Train from the command line."""
    root = Path(__file__).resolve().parents[2] / "build"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--smear", type=Path, default=root / "smear", help="where the spelled decoder's checkpoint lies"
    )
    parser.add_argument("--out", type=Path, default=root / "smear-ladder")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    pieces = load_tokenizer(args.smear / "tokenizer.model")
    train(pieces, args.steps, args.out / "ladder.pt", args.smear / "language.pt")


if __name__ == "__main__":
    main()
