"""Tests for the recipes of weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.runtime import open_model
from models.language.checkpoint import load_llama
from models.language.graph import Graph
from models.language.recipe import BLOCK, LONG_BLOCK, RECIPES, Quantizer, int4_weight, restored
from models.language.tflite import write_tflite
from models.language.weight import Weight, int8_weight


def _matrix(rows: int = 48, columns: int = 96) -> np.ndarray:
    return np.random.default_rng(5).normal(0, 0.02, (rows, columns)).astype(np.float32)


def _error(matrix: np.ndarray, restored: np.ndarray) -> float:
    return float(np.linalg.norm(restored - matrix) / np.linalg.norm(matrix))


def test_int4_weights_come_back_within_a_tenth() -> None:
    matrix = _matrix()
    assert 0.05 < _error(matrix, restored(int4_weight("w", matrix))) < 0.1


def test_int4_takes_two_numbers_a_byte_and_a_scale_a_block() -> None:
    weight = int4_weight("w", _matrix())
    assert weight.dtype == "int4"
    assert weight.data.nbytes == 48 * 96 // 2
    assert weight.scales.shape == (48, 96 // BLOCK)


def test_a_scale_for_each_block_beats_the_largest_weight_on_the_last_level() -> None:
    matrix = _matrix()
    blocks = matrix.reshape(48, -1, BLOCK)
    scales = np.abs(blocks).max(-1, keepdims=True) / 7
    plain = (np.rint(blocks / scales) * scales).reshape(matrix.shape)
    assert _error(matrix, restored(int4_weight("w", matrix))) < 0.95 * _error(matrix, plain)


def test_scales_are_what_the_engine_keeps_of_them() -> None:
    scales = int4_weight("w", _matrix()).scales
    assert scales.dtype == np.float16
    assert not (scales.astype(np.float32).view(np.uint32) & 0xFFFF).any()


def test_a_block_of_zeros_stays_one_and_has_a_scale_that_the_engine_takes() -> None:
    matrix = _matrix()
    matrix[3] = 0
    weight = int4_weight("w", matrix)
    assert not restored(weight)[3].any()
    assert weight.scales.min() >= np.finfo(np.float16).smallest_normal


def test_int4_is_read_as_the_file_format_says() -> None:
    data = np.full((1, 16), 0x80, np.uint8)  # the first in the low half, both in two's complement
    data[0, 0] = 0xF7
    weight = Weight("w", (1, 32), "int4", data, np.array([[0.5]], np.float16), 32)
    assert restored(weight)[0, :4].tolist() == [3.5, -0.5, 0.0, -4.0]


def test_int8_weights_come_back_within_a_hundredth() -> None:
    matrix = _matrix()
    assert 0 < _error(matrix, restored(int8_weight("w", matrix))) < 0.01


def test_a_row_that_cannot_be_cut_into_blocks_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="gate has rows of 40"):
        int4_weight("gate", _matrix(columns=40))


@pytest.mark.parametrize(("name", "block"), [("int4", LONG_BLOCK), ("int4-32", BLOCK)])
def test_mixed_recipes_keep_values_and_the_table_at_eight_bits(name: str, block: int) -> None:
    recipe, matrix = RECIPES[name], _matrix(columns=128)
    layer = recipe.layer("w", matrix)
    assert (layer.dtype, layer.block) == ("int4", block)
    assert (recipe.value("v", matrix).dtype, recipe.table("t", matrix).dtype) == ("int8", "int8")


def test_the_values_of_each_layer_are_quantized_as_the_recipe_says_of_values(checkpoint: Path) -> None:
    for layer in load_llama(checkpoint, RECIPES["int4"]).layers:
        kinds = {name: getattr(layer, name).dtype for name in ("turned", "value", "out", "gate", "up", "down")}
        assert {name for name, kind in kinds.items() if kind == "int8"} == {"value"}


def test_rows_that_long_blocks_do_not_fit_get_short_ones() -> None:
    assert int4_weight("w", _matrix(columns=160), LONG_BLOCK).block == BLOCK


@pytest.mark.parametrize("quantizer", [int4_weight, RECIPES["int4"].layer, int8_weight])
def test_the_engine_multiplies_by_what_a_weight_stands_for(quantizer: Quantizer, tmp_path: Path) -> None:
    weight, chance = quantizer("w", _matrix(40, 192)), np.random.default_rng(6)
    graph = Graph("multiply")
    graph.outputs["y"] = graph.linear(graph.input("x", (1, 192)), weight)
    write_tflite([graph], tmp_path / "model.tflite")
    with open_model(tmp_path / "model.tflite", engine="litert") as model:
        run = model.bind("multiply")
        run.inputs["x"][:] = chance.normal(0, 1, (1, 192))
        run()
        expected = run.inputs["x"] @ restored(weight).T
        assert _error(expected, run.outputs["y"]) < 0.01  # the engine rounds what flows to 8 bits
