"""What does not fit into float16 is refused before a bundle is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.language.checkpoint import Checkpoint, load_llama
from models.language.llama import Llama
from models.language.range import cache_reach, check_caches
from models.language.recipe import RECIPES, int4_weight, restored
from models.language.weight import Weight


def grown(weight: Weight, factor: float, rows: slice = slice(None)) -> Weight:
    scales = weight.scales.copy()
    scales[rows] *= factor
    return replace(weight, scales=scales)


@pytest.fixture
def model(checkpoint: Path) -> Llama:
    return load_llama(checkpoint, RECIPES["int8"])


def test_no_key_or_value_goes_beyond_what_is_told(model: Llama) -> None:
    shape, chance = model.shape, np.random.default_rng(3)
    for layer, (keys, values) in zip(model.layers, cache_reach(model), strict=True):
        made = [restored(layer.turned)[shape.heads * shape.head_width :], restored(layer.value)]
        longest = [rows[np.linalg.norm(rows, axis=1).argmax()] for rows in made]
        for x in (*chance.normal(size=(200, shape.width)), *longest):
            x = x / np.sqrt(np.square(x).mean())
            found = [
                float(np.abs(rows @ np.rint(x / (peak := np.abs(x).max()) * 127) * peak / 127).max()) for rows in made
            ]
            assert found[0] * 2**0.5 <= keys
            assert found[1] <= values
    assert keys < 200  # and not far beyond


def test_a_usual_model_is_taken_and_large_queries_are_of_no_account(model: Llama) -> None:
    check_caches(model)
    rows = slice(0, model.shape.heads * model.shape.head_width)
    check_caches(replace(model, layers=(replace(model.layers[0], turned=grown(model.layers[0].turned, 1e6, rows)),)))


@pytest.mark.parametrize(("part", "what"), [("turned", "keys"), ("value", "values")])
def test_a_layer_that_float16_cannot_hold_is_named(model: Llama, part: str, what: str) -> None:
    large = replace(model.layers[1], **{part: grown(getattr(model.layers[1], part), 1e5)})
    with pytest.raises(SystemExit, match=rf"The {what} of layer 1 may reach .* --lengths 1024"):
        check_caches(replace(model, layers=(model.layers[0], large)))


def test_a_weight_whose_scale_does_not_fit_is_refused_by_name() -> None:
    matrix = np.ones((2, 32), np.float32)
    matrix[1, 5] = 1e6
    with pytest.raises(ValueError, match="gate has a weight of 1e"):
        int4_weight("gate", matrix)


def test_a_checkpoint_that_holds_no_numbers_is_refused_by_the_tensors_name(checkpoint: Path) -> None:
    file = checkpoint / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-4:] = np.array([np.nan], "<f4").tobytes()
    file.write_bytes(data)
    with pytest.raises(SystemExit, match=r"down_proj.weight holds infinity or NaN"):
        load_llama(checkpoint, RECIPES["int8"])
    assert np.isfinite(Checkpoint(checkpoint)["model.norm.weight"]).all()
