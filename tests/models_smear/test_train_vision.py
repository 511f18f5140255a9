"""How the encoder and the head learn (where PyTorch is installed)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install -e .[train]")

import train_vision as tv  # noqa: E402
from data import SIDE_PX, Picture  # noqa: E402
from target import draw_targets  # noqa: E402

BOXES = np.array([[1, 0.2, 0.3, 0.4, 0.5], [0, 0.5, 0.5, 0.9, 0.9]], np.float32)
NONE = np.zeros((0, 5), np.float32)


def batch() -> dict[str, torch.Tensor]:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, SIDE_PX, SIDE_PX), dtype=np.uint8)
    maps = draw_targets(BOXES, NONE)
    stacked = {name: torch.from_numpy(np.stack([values, values])) for name, values in maps.items()}
    return {"pixels": torch.from_numpy(pixels), "film": torch.ones(2), **stacked}


def test_centres_where_they_are_cost_little_and_elsewhere_much() -> None:
    heat, judged = (torch.from_numpy(draw_targets(BOXES, NONE)[name])[None] for name in ("heat", "judged"))
    right = torch.where(heat == 1, 8.0, -8.0)
    assert float(tv.centre_loss(right, heat, judged)) < 0.05
    assert float(tv.centre_loss(right.roll(20, 3), heat, judged)) > 5
    assert float(tv.centre_loss(right.roll(20, 3), heat, 0 * judged)) == 0


def test_the_pace_warms_up_and_ends_near_nothing() -> None:
    paces = [tv.pace(done) for done in np.linspace(0, 1, 201)]
    assert paces[0] < 0.01
    assert max(paces) > 0.99
    assert paces[-1] < 0.01
    assert np.argmax(paces) <= 10


def test_averaged_weights_follow_the_present_ones() -> None:
    fast, slow = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    with torch.no_grad():
        fast.weight.fill_(1.0)
        slow.weight.fill_(0.0)
    tv.average(fast, slow, 10**6)
    assert torch.allclose(slow.weight, torch.full((2, 2), 0.002))


def test_a_training_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    torch.manual_seed(1)
    whole = tv.Training(tmp_path / "vision.pt", 1e-3, "cpu", resume=False)
    whole.learn(batch(), 0.1)
    whole.save()
    assert [path.name for path in tmp_path.iterdir()] == ["vision.pt"]
    resumed = tv.Training(tmp_path / "vision.pt", 1e-3, "cpu", resume=True)
    assert (resumed.step, resumed.done) == (1, 0.1)
    assert whole.learn(batch(), 0.2) == resumed.learn(batch(), 0.2)
    for one, other in zip(whole.mean.parameters(), resumed.mean.parameters(), strict=True):
        assert torch.equal(one, other)


def test_held_out_pictures_are_scored_in_a_line() -> None:
    torch.manual_seed(2)
    picture = Picture("a", np.full((SIDE_PX, SIDE_PX, 3), 200, np.uint8), BOXES)
    line = tv.held_out_scores(tv.Vision().eval(), [picture])
    assert line.split()[::2] == ["wbc", "rbc", "platelet"]
