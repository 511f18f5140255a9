"""What the bits of weights cost is told by what the engine would say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_sdk.runtime import open_model
from models.language.checkpoint import load_llama
from models.language.llama import build_step
from models.language.loss import compare, say
from models.language.recipe import RECIPES
from models.language.tflite import write_tflite

TOKENS = 24


def _text(pieces: int) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 48, (pieces, TOKENS))


def test_it_says_what_the_engine_says(checkpoint: Path) -> None:
    model, tokens = load_llama(checkpoint, RECIPES["int8"]), _text(1)
    graph = build_step(model, "verify", TOKENS, TOKENS, speak=True)
    write_tflite([graph], checkpoint / "model.tflite")
    with open_model(checkpoint / "model.tflite", engine="litert") as opened:
        run = opened.bind("verify")
        run.inputs["tokens"][:] = tokens
        run.inputs["input_pos"][:] = np.arange(TOKENS)
        run.inputs["mask"][:] = np.where(np.tri(TOKENS, dtype=bool), 0, -1e9)
        run()
        scores = run.outputs["logits"] - run.outputs["logits"].max(-1, keepdims=True)
        said = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
        # The engine rounds what flows to 8 bits.
        assert np.abs(np.exp(say(model, tokens)) - np.exp(said)).max() < 0.03


def test_fewer_bits_lose_more(checkpoint: Path) -> None:
    found = compare(checkpoint, _text(3), ["int8", "int4-32"])
    assert found["float"]["divergence"] == 0
    assert found["float"]["same_best"] == 1
    assert 0 < 10 * found["int8"]["divergence"] < found["int4-32"]["divergence"]
