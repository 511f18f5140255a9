"""What the mapping network takes over and fits (where PyTorch is installed)."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install -e .[train]")
pytest.importorskip("litert_torch", reason="the decoder needs litert-torch: pip install -e .[train]")

import perceive  # noqa: E402
from vision import FEATURES, GRID, Vision  # noqa: E402

from edge_sdk.pipeline.centre import CentreRule  # noqa: E402


@pytest.fixture
def perception():
    torch.manual_seed(3)
    return perceive.make_perception(Vision().eval(), CentreRule((0.4, 0.5, 0.6), (0.3, 0.4, 0.5)))


def test_it_looks_as_the_vision_part_does(perception) -> None:
    torch.manual_seed(3)
    vision = Vision().eval()
    grid = torch.rand(1, FEATURES, GRID, GRID)
    with torch.no_grad():
        assert torch.allclose(perception.head(grid), vision.head(grid), atol=1e-5)
        assert torch.allclose(perception.cover(grid)[:, 0], vision.hints(grid)[1], atol=1e-5)
    assert perception.thresholds.tolist() == pytest.approx([0.4, 0.5, 0.6])
    assert perception.radii.tolist() == pytest.approx([0.3, 0.4, 0.5])


def test_the_cover_is_fitted_by_a_line(perception) -> None:
    torch.manual_seed(4)
    grids = [torch.rand(1, FEATURES, GRID, GRID) * n for n in range(1, 6)]
    with torch.no_grad():
        read = [float(torch.sigmoid(perception.cover(grid)).mean()) for grid in grids]
    perceive._fit_cover(perception, grids, [0.5 * value + 0.1 for value in read])
    assert perception.cover_fit.tolist() == pytest.approx([0.5, 0.1], abs=1e-3)


def test_films_are_told_from_other_pictures_by_pooled_features(perception) -> None:
    rng = torch.Generator().manual_seed(5)
    film = (torch.arange(400) % 2).float()
    pooled = torch.rand(400, 2 * FEATURES, generator=rng)
    pooled[:, 0] += film
    perceive._fit_film(perception, pooled, film)
    with torch.no_grad():
        assert float(((perception.film(pooled) > 0).float() == film).float().mean()) > 0.95


def test_parts_of_photographs_digits_and_drawings_are_shown_as_no_films() -> None:
    rng = np.random.default_rng(6)
    clothing = [rng.integers(0, 256, (288, 288, 3), dtype=np.uint8)]
    digits = rng.integers(0, 256, (2, 28, 28), dtype=np.uint8)
    drawn = [perceive._stranger(rng, clothing, digits) for _ in range(20)]
    assert all(picture.shape == (288, 288, 3) and picture.dtype == np.uint8 for picture in drawn)
    assert len({picture.tobytes() for picture in drawn}) > 10
