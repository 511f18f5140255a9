"""Tell what the bits of the decoder's weights cost: what it says with all of them, at INT8 and at mixed INT4."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from check_language import check
from language import Decoder
from tokenizer import load_tokenizer
from torch import Tensor, nn
from train_language import Batch, Speaker, batches

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from models.language.recipe import RECIPES, restored

SEED = 99  # no conversation of the training
_SILENT = -100


def quantize(decoder: Decoder, name: str) -> None:
    """Round the decoder's weights as a recipe does; the tables of embeddings and of the head count as tables."""
    recipe = RECIPES[name]
    roundings: dict[str, Callable[..., Any]] = {
        "embedding": recipe.table,
        "logits": recipe.table,
        "value": recipe.value,
    }
    with torch.no_grad():
        for path, module in decoder.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                rounding = roundings.get(path.rpartition(".")[2], recipe.layer)
                module.weight.copy_(torch.from_numpy(restored(rounding(name, module.weight.numpy()))))


@torch.no_grad()
def scores(speaker: Speaker, made: list[Batch]) -> tuple[Tensor, Tensor]:
    """Return the logarithms of what it says at each spoken place, ``(n, V)``, and what it should say, ``(n,)``."""
    said, wanted = [], []
    for batch in made:
        embeddings = speaker.decoder.embedding(batch.ids.clamp(min=0))
        spots = (batch.ids == -1)[..., None].expand_as(embeddings)
        spoken = batch.targets != _SILENT
        logits = speaker.decoder(embeddings.masked_scatter(spots, speaker.mapper(batch.scene)), spoken)
        said.append(F.log_softmax(logits, -1))
        wanted.append(batch.targets[spoken])
    return torch.cat(said), torch.cat(wanted)


def compare(out: Path, rounds: int, each: int) -> dict[str, dict[str, float]]:
    """Measure float and each recipe on the same made-up conversations, and on questions in wordings never seen."""
    pieces = load_tokenizer(out / "tokenizer.model")
    state = torch.load(out / "language.pt", map_location="cpu", weights_only=True)["speaker"]
    stream = batches(pieces, SEED)
    made = [next(stream) for _ in range(rounds)]
    found: dict[str, dict[str, float]] = {}
    whole: Tensor | None = None
    for name in ("float", *RECIPES):
        speaker = Speaker()
        speaker.load_state_dict(state)
        speaker.eval()
        if name != "float":
            quantize(speaker.decoder, name)
        said, wanted = scores(speaker, made)
        whole = said if whole is None else whole
        answers = check(speaker, pieces, each, clean=True) if each else {}
        found[name] = {
            "tokens": len(wanted),
            "cross_entropy": F.nll_loss(said, wanted).item(),
            "right": (said.argmax(1) == wanted).float().mean().item(),
            "agrees_with_float": (said.argmax(1) == whole.argmax(1)).float().mean().item(),
            "divergence": F.kl_div(said, whole, log_target=True, reduction="batchmean").item(),
            **({"answers_right": sum(answers.values()) / len(answers)} if answers else {}),
        }
        print(name, {key: round(value, 5) for key, value in found[name].items()}, flush=True)
    return found


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[2] / "build" / "smear")
    parser.add_argument("--rounds", type=int, default=20, help="batches of 64 conversations")
    parser.add_argument("--each", type=int, default=0, help="questions of each kind whose answers are judged")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = compare(args.out, args.rounds, args.each)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
