"""What the decoder learns from (where PyTorch is installed)."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install -e .[train]")
pytest.importorskip("litert_torch", reason="the decoder needs litert-torch: pip install -e .[train]")

import train_language as tl  # noqa: E402
from language import MOST, VISUAL_TOKENS  # noqa: E402
from tokenizer import STOP  # noqa: E402


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tl, "_CORPUS_LINES", 4000)
        return tl.make_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.model")


def test_made_up_frames_hold_up_to_99_cells_and_say_what_they_hold() -> None:
    rng = np.random.default_rng(3)
    views = [tl.imagine(rng) for _ in range(3000)]
    counts = np.array([view.facts.counts for view in views])
    assert counts.sum(axis=1).max() <= MOST
    assert (counts.max(axis=0) > 70).all()
    for view in views:
        assert np.abs(view.thirds.sum(axis=1) - view.facts.counts).max() <= 9 * 0.12
        assert view.facts.film == (view.film >= 0.5)


def test_only_answers_are_asked_for_and_frames_have_their_places(pieces) -> None:
    rng, chance = random.Random(4), np.random.default_rng(4)
    for _ in range(50):
        ids, targets, views = tl.talk(rng, chance, pieces)
        assert len(ids) == len(targets)
        assert ids.count(tl._VISUAL) == VISUAL_TOKENS * len(views)
        for place, target in enumerate(targets[:-1]):
            assert target in (tl._SILENT, ids[place + 1])
        assert pieces.piece_to_id(STOP) in targets


def test_a_step_on_a_batch_makes_it_better_known(pieces) -> None:
    torch.manual_seed(0)
    speaker = tl.Speaker()
    rng, chance = random.Random(5), np.random.default_rng(5)
    batch = tl.collate([tl.talk(rng, chance, pieces) for _ in range(4)]).to("cpu")
    tools = torch.optim.AdamW(speaker.parameters(), 1e-3)
    before = speaker(batch)
    before.backward()
    tools.step()
    assert speaker(batch).item() < before.item()


def test_a_run_leaves_a_whole_checkpoint(pieces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tl, "BATCH", 2)
    tl.train(pieces, 3, tmp_path / "language.pt", "cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["language.pt"]
    state = torch.load(tmp_path / "language.pt", weights_only=True)
    assert state["step"] == 3
    tl.Speaker().load_state_dict(state["speaker"])
