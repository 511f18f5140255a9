"""Tell what the bits of a model's weights cost: what it says of a text with all of them, and with each recipe.

    python -m models.language.loss FOLDER TEXT [TEXT ...] [--recipes int8,int4,int4-32] [--pieces 6] [--json OUT]

FOLDER is as `models.language.export` takes it, TEXT what the model has not learned. Pieces of 512 tokens are cut from
it at equal distances, and what the model says from the 17th token on counts. What flows is not rounded here, though
the engine rounds it, alike for all recipes. 3 000 tokens of a model of 135 M take half a minute a recipe, and 4 GB.

Source: Touvron et al. 2023, arXiv:2302.13971; what is multiplied is what `models.language.llama` multiplies.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from models.language.checkpoint import load_llama
from models.language.llama import Layer, Llama, Shape
from models.language.recipe import RECIPES, Recipe, restored
from models.language.weight import Weight

__all__ = ["compare", "say"]

Floats: TypeAlias = "npt.NDArray[np.float32]"
LENGTH, _FIRST = 512, 16  # of the first tokens of a piece nobody could say much


def _whole(name: str, matrix: Floats) -> Weight:
    """Keep a matrix as it is."""
    return Weight(name, (matrix.shape[0], matrix.shape[1]), "float32", matrix, np.ones(len(matrix), np.float32))


def _matrix(weight: Weight) -> Floats:
    return np.asarray(weight.data, np.float32) if weight.dtype == "float32" else restored(weight)


def say(model: Llama, tokens: npt.NDArray[np.int64]) -> Floats:
    """Give the logarithms of what follows each token.

    Parameters
    ----------
    model : Llama
        Its weights are widened, a layer at a time.
    tokens : ndarray
        ``(pieces, n)``.

    Returns
    -------
    ndarray
        ``(pieces, n, vocabulary)`` float32.
    """
    shape = model.shape
    x = _matrix(model.table)[tokens]
    for layer in model.layers:
        x = x + _attended(layer, shape, _norm(x, shape)) @ _matrix(layer.out).T
        y = _norm(x, shape)
        gate = y @ _matrix(layer.gate).T
        x = x + (gate / (1 + np.exp(-gate)) * (y @ _matrix(layer.up).T)) @ _matrix(layer.down).T
    scores = _norm(x, shape) @ _matrix(model.head).T
    scores -= scores.max(-1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(-1, keepdims=True))
    return scores


def _norm(x: Floats, shape: Shape) -> Floats:
    return x / np.sqrt(np.square(x).mean(-1, keepdims=True) + np.float32(shape.epsilon))


def _attended(layer: Layer, shape: Shape, y: Floats) -> Floats:
    """Give what each token takes from those before it: ``(pieces, n, heads * head width)``."""
    pieces, n, _ = y.shape
    turned = (y @ _matrix(layer.turned).T).reshape(pieces, n, -1, shape.head_width)
    half = shape.head_width // 2
    angles = np.outer(np.arange(n), shape.rope_theta ** (-np.arange(half) / half)).astype(np.float32)[:, None]
    cos, sin = np.cos(angles), np.sin(angles)
    first, second = turned[..., :half], turned[..., half:]
    turned = np.concatenate([first * cos - second * sin, second * cos + first * sin], -1).transpose(0, 2, 1, 3)
    values = (y @ _matrix(layer.value).T).reshape(pieces, n, shape.key_heads, shape.head_width).transpose(0, 2, 1, 3)
    shared = shape.heads // shape.key_heads
    keys, values = (np.repeat(part, shared, 1) for part in (turned[:, shape.heads :], values))
    scores = turned[:, : shape.heads] @ keys.transpose(0, 1, 3, 2)
    scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    found = shares / shares.sum(-1, keepdims=True) @ values
    return found.transpose(0, 2, 1, 3).reshape(pieces, n, -1)


def compare(folder: Path, tokens: npt.NDArray[np.int64], recipes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Measure a model as it came and with each recipe, on ``(pieces, n)`` tokens."""
    found: dict[str, dict[str, float]] = {}
    whole: Floats | None = None
    for name in ("float", *recipes):
        recipe = Recipe(_whole, _whole, _whole) if name == "float" else RECIPES[name]
        said = say(load_llama(folder, recipe), tokens[:, :-1])[:, _FIRST:]
        whole = said if whole is None else whole
        told = np.take_along_axis(said, tokens[:, _FIRST + 1 :, None], -1)
        found[name] = {
            "perplexity": float(np.exp(-told.mean())),
            "divergence": float((np.exp(whole) * (whole - said)).sum(-1).mean()),
            "same_best": float((said.argmax(-1) == whole.argmax(-1)).mean()),
        }
        print(name, {key: round(value, 4) for key, value in found[name].items()}, flush=True)
    return found


def _pieces(folder: Path, texts: Sequence[Path], count: int) -> npt.NDArray[np.int64]:
    from tokenizers import Tokenizer  # comes with the `train` extra; nothing else here needs it

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens = tokenizer.encode("\n\n".join(text.read_text() for text in texts), add_special_tokens=False).ids
    if len(tokens) < count * (LENGTH + 1):
        raise SystemExit(f"{len(tokens)} tokens of text are too few for {count} pieces of {LENGTH}.")
    begins = np.linspace(0, len(tokens) - LENGTH - 1, count).astype(int)
    return np.array([tokens[begin : begin + LENGTH + 1] for begin in begins])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("texts", type=Path, nargs="+")
    parser.add_argument("--recipes", type=lambda text: text.split(","), default=sorted(RECIPES))
    parser.add_argument("--pieces", type=int, default=6)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    found: dict[str, Any] = compare(asked.source, _pieces(asked.source, asked.texts, asked.pieces), asked.recipes)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
