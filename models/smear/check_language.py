"""Ask a trained decoder questions in wordings it never saw, about made-up frames, and score it by kind."""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import question as q
import torch
from answer_score import judge
from language import Scene
from sentencepiece import SentencePieceProcessor
from tokenizer import ANSWER, ASK, FRAME, STOP, load_tokenizer
from torch import Tensor
from train_language import Speaker, View, imagine, scene_of

_KINDS = (*q.LOOKING, "help", "medical", "finer", "off")
_LONGEST_ANSWER = 48
_SHOWN = 3  # wrong answers of a kind


@torch.no_grad()
def reply(speaker: Speaker, pieces: SentencePieceProcessor, text: str, scene: Scene | None) -> str:
    """Answer one question greedily."""
    table = speaker.decoder.embedding
    parts = [table(torch.tensor(pieces.encode(ASK + (FRAME if scene else ""))))]
    if scene:
        parts.append(speaker.mapper(scene)[0])
    parts.append(table(torch.tensor(pieces.encode(text + ANSWER))))
    rows: Tensor = torch.cat(parts)[None]
    said: list[int] = []
    while len(said) < _LONGEST_ANSWER:
        token = int(speaker.decoder(rows)[0, -1].argmax())
        if token == pieces.piece_to_id(STOP):
            break
        said.append(token)
        rows = torch.cat([rows, table(torch.tensor([[token]]))], 1)
    return str(pieces.decode(said))


def check(speaker: Speaker, pieces: SentencePieceProcessor, each: int, *, clean: bool) -> dict[str, float]:
    """Score each kind of question on ``each`` made-up frames, and show some of the wrong answers."""
    rng, chance = random.Random(99), np.random.default_rng(99)
    hits: dict[str, list[bool]] = defaultdict(list)
    for kind in _KINDS:
        for i in range(each):
            view: View | None = imagine(chance) if i % 6 else None
            asked = q.ask(kind, rng, test=True, clean=clean)
            facts = view.facts if view else None
            said = reply(speaker, pieces, asked.text, scene_of([view]) if view else None)
            good = judge(asked, said, facts)
            name = kind if kind not in q.LOOKING else kind + _case(facts)
            hits[name].append(good)
            if not good and hits[name].count(False) <= _SHOWN:
                print(f"  {name}: {asked.text!r} -> {said!r}, not {q.answer(asked, facts)!r}")
    return {name: sum(good) / len(good) for name, good in hits.items()}


def _case(facts: q.Facts | None) -> str:
    return " without frame" if facts is None else "" if facts.film else " of no film"


def main() -> None:
    """Check from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[2] / "build" / "smear")
    parser.add_argument("--each", type=int, default=120)
    parser.add_argument("--slips", action="store_true", help="with slips of the pen")
    args = parser.parse_args()
    speaker = Speaker()
    speaker.load_state_dict(torch.load(args.out / "language.pt", map_location="cpu", weights_only=True)["speaker"])
    scores = check(speaker.eval(), load_tokenizer(args.out / "tokenizer.model"), args.each, clean=not args.slips)
    for name, score in scores.items():
        print(f"{name:24} {score:.3f}")


if __name__ == "__main__":
    main()
