"""What the export of the bundle with fewer tokens says on its card (where PyTorch is installed)."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="exporting needs torch: pip install -e .[train]")
pytest.importorskip("litert_torch", reason="exporting needs litert-torch: pip install -e .[train]")
pytest.importorskip("ai_edge_quantizer", reason="exporting needs ai-edge-quantizer: pip install -e .[train]")

import export_ladder

from edge_sdk.bundle.card import VisualLadder, read_card

CARD = {"format": 1, "name": "a", "task": "answer", "input": {"width": 288, "height": 288}}


def ladder(figures: dict[str, object] | None) -> VisualLadder:
    card = CARD | {"visual_ladder": export_ladder.visual_ladder(figures)}
    found = read_card(json.dumps(card).encode(), "a").visual_ladder
    assert found is not None
    return found


def test_before_it_is_measured_a_card_names_all_numbers_it_was_trained_for() -> None:
    found = ladder(None)
    assert [rung.tokens for rung in found.rungs] == [144, 144, 36, 36, 16, 16, 9, 9]
    assert {rung.input_px for rung in found.rungs} == {None, 192}


def test_a_card_carries_the_rungs_that_are_kept_with_what_each_scored() -> None:
    found = ladder(json.loads(export_ladder.FIGURES.read_text()))
    assert found.rungs[0].tokens == 144
    assert any(rung.tokens == 36 and rung.way == "pool" for rung in found.rungs)
    assert all(rung.accuracy_percent is not None and rung.accuracy_percent > 80 for rung in found.rungs)
    assert "265 validation pictures" in found.measured_on
