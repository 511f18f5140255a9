"""What the bits of weights cost is measured on weights that were rounded as they would be in a file."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install -e .[train]")
pytest.importorskip("litert_torch", reason="the decoder needs litert-torch: pip install -e .[train]")

from language import Decoder, Shape  # noqa: E402
from weight_loss import quantize  # noqa: E402


def _moved(before: torch.Tensor, after: torch.Tensor) -> float:
    return float((after - before).detach().norm() / before.detach().norm())


def test_the_mixed_recipe_rounds_layers_to_four_bits_and_values_and_both_tables_to_eight() -> None:
    torch.manual_seed(0)
    whole = Decoder(Shape(64))
    rounded = copy.deepcopy(whole)
    quantize(rounded, "int4")
    assert 0 < _moved(whole.embedding.weight, rounded.embedding.weight) < 0.01
    assert 0 < _moved(whole.logits.weight, rounded.logits.weight) < 0.01
    assert 0 < _moved(whole.layers[0].value.weight, rounded.layers[0].value.weight) < 0.01
    for name in ("query", "gate", "down"):
        before, after = (getattr(model.layers[0], name).weight for model in (whole, rounded))
        assert 0.03 < _moved(before, after) < 0.12
