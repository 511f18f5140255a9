"""What the export writes about the bundle (where PyTorch is installed)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.bundle import find_bundle
from edge_sdk.bundle.card import read_card
from edge_sdk.errors import EdgeError

pytest.importorskip("torch", reason="exporting needs torch: pip install -e .[train]")
pytest.importorskip("litert_torch", reason="exporting needs litert-torch: pip install -e .[train]")
pytest.importorskip("ai_edge_quantizer", reason="exporting needs ai-edge-quantizer: pip install -e .[train]")

import export

VISION = {
    "classes": ["wbc", "rbc", "platelet"],
    "thresholds": [0.4, 0.5, 0.6],
    "radii": [0.3, 0.4, 0.5],
    "mean": [0.0] * 3,
    "std": [1.0] * 3,
}


def test_what_is_written_about_the_bundle_is_a_card_that_names_the_model_card() -> None:
    card = read_card(json.dumps(export.about(VISION, 5_000_000)).encode(), "a")
    assert card.memory_bytes == 5_000_000
    assert "No medical device" in card.not_for
    assert (export._ROOT / card.model_card).is_file()
    assert [c.threshold for c in card.cells.classes] == VISION["thresholds"]
    assert read_card(json.dumps(export.about(VISION, None)).encode(), "a").memory_bytes is None


def test_memory_is_measured_from_a_process_that_took_much_more() -> None:
    ballast = np.ones(300 << 20, np.uint8)
    bundle = find_bundle("smear")
    assert bundle.stat().st_size < export.measure_memory(bundle) < ballast.nbytes


def test_a_measurement_of_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_MEASURE", "print(0)")
    with pytest.raises(EdgeError, match="measured to take 0 bytes"):
        export.measure_memory(Path("a.litertlm"))
