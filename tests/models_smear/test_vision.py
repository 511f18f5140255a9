from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install -e .[train]")

from target import draw_targets  # noqa: E402
from vision import CENTRES, FEATURES, GRID, Vision, load_vision  # noqa: E402

NONE = np.zeros((0, 5), np.float32)


def test_targets_peak_at_each_centre_and_carry_its_size() -> None:
    boxes = np.array([[1, 0.2, 0.3, 0.4, 0.5], [0, 0.5, 0.5, 1.0, 0.9]], np.float32)
    maps = draw_targets(boxes, NONE)
    assert (maps["heat"] == 1).sum((1, 2)).tolist() == [1, 1, 0]
    line, column = int(0.4 * CENTRES), int(0.3 * CENTRES)
    assert maps["heat"][1, line, column] == 1
    assert maps["size"][:, line, column] == pytest.approx([0.2, 0.2])
    assert maps["sized"].sum() == 18
    assert 0.23 < maps["cover"].mean() < 0.25


def test_slivers_are_neither_asked_for_nor_denied() -> None:
    maps = draw_targets(NONE, np.array([[1, 0.0, 0.0, 0.1, 0.2]], np.float32))
    assert maps["heat"].max() == 0
    assert maps["judged"][:14, :7].max() == 0
    assert maps["judged"].sum() > 0.97 * CENTRES * CENTRES


def test_a_checkpoint_gives_back_its_network(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = Vision().eval()
    torch.save({"average": model.state_dict()}, tmp_path / "vision.pt")
    images = torch.rand(1, 3, 288, 288)
    loaded = load_vision(tmp_path / "vision.pt")
    features = loaded.encoder(images)
    assert features.shape == (1, FEATURES, GRID, GRID)
    assert float(features.min()) >= 0
    assert float(features.max()) <= 6
    assert torch.equal(features, model.encoder(images))
    assert loaded.head(features).shape == (1, 5, CENTRES, CENTRES)
