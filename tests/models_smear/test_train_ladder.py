"""What the decoder that reads places learns from (where PyTorch is installed)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install -e .[train]")
pytest.importorskip("litert_torch", reason="the networks use its operators: pip install -e .[train]")

import train_ladder as ladder  # noqa: E402
from place import PLACES  # noqa: E402
from tokenizer import load_tokenizer  # noqa: E402
from train_language import Speaker  # noqa: E402

from edge_sdk.bundle import find_bundle, open_bundle  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ladder") / "tokenizer.model"
    with open_bundle(find_bundle("smear")) as shipped:
        path.write_bytes(next(bytes(shipped.view(s)) for s in shipped.sections if s.kind == "SP_Tokenizer"))
    return path


@pytest.fixture(scope="module")
def rows(tokenizer_file: Path) -> list[ladder.Row]:
    writer = ladder.Writer(load_tokenizer(tokenizer_file), 5, 9)
    return [writer.row() for _ in range(60)]


def test_a_made_up_frame_has_the_cells_that_its_facts_tell_where_they_tell() -> None:
    chance = np.random.default_rng(0)
    for _ in range(200):
        view = ladder.imagine_places(chance)
        assert view.cells.shape == (PLACES * PLACES, 3)
        counts = np.array(view.facts.counts)
        assert (np.abs(view.cells.sum(0) - counts) < 0.5 + 0.05 * counts).all()
        assert view.cover.mean() == pytest.approx(view.facts.cover, abs=1e-4)
        grid = np.rint(view.cells[:, 0]).reshape(3, PLACES // 3, 3, PLACES // 3).sum((1, 3)).reshape(9)
        assert set(view.facts.places["wbc"]) <= set(np.flatnonzero(grid))


def test_a_row_has_a_place_for_each_token_of_its_frames(rows: list[ladder.Row]) -> None:
    assert any(len(row.views) > 1 for row in rows)
    assert any(not row.views for row in rows)
    for row in rows:
        assert row.ids.count(-1) == 9 * len(row.views)
        assert len(row.ids) == len(row.targets) == len(row.parts) == len(row.positions)


def test_every_question_stands_as_if_it_was_asked_first(rows: list[ladder.Row]) -> None:
    for row in rows:
        head = row.parts.count(0)
        for part in set(row.parts) - {0}:
            at = [i for i, each in enumerate(row.parts) if each == part]
            assert [row.positions[i] for i in at] == list(range(head, head + len(at)))


def test_a_question_sees_the_frame_and_itself_alone(rows: list[ladder.Row]) -> None:
    batch = ladder.collate(rows[:8])
    for row, mask in zip(rows[:8], batch.mask[:, 0], strict=True):
        for at, part in enumerate(row.parts):
            seen = {each for each, shown in zip(row.parts, mask[at].tolist(), strict=False) if shown}
            assert seen == {0, part}
            assert not mask[at, at + 1 :].any()


@pytest.mark.parametrize(("way", "left", "_"), ladder.WAYS)
def test_tokens_become_fewer_and_keep_their_mean_where_all_squares_are_alike(way: str, left: int, _: int) -> None:
    tokens = torch.randn(2, PLACES * PLACES, 8, generator=torch.Generator().manual_seed(0))
    fewer = ladder.fewer(tokens, way, left)
    assert fewer.shape == (2, left, 8)
    if way != "merge":
        torch.testing.assert_close(fewer.mean(1), tokens.mean(1))


def test_rounded_weights_are_those_of_8_bits_and_the_real_ones_come_back() -> None:
    linear = torch.nn.Linear(64, 16)
    real = linear.weight.detach().clone()
    with ladder.rounded(linear):
        row = linear.weight[3] / (real[3].abs().max() / 127)
        torch.testing.assert_close(row, row.round(), atol=1e-3, rtol=0)
        assert not torch.equal(linear.weight, real)
        linear(torch.ones(64)).sum().backward()
    assert torch.equal(linear.weight, real)
    assert linear.weight.grad is not None


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(
    tokenizer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces, begin = load_tokenizer(tokenizer_file), tmp_path / "language.pt"
    torch.manual_seed(0)
    torch.save({"speaker": Speaker().state_dict()}, begin)
    monkeypatch.setattr(ladder, "_SAVE_EVERY", 2)
    ladder.train(pieces, 4, tmp_path / "whole.pt", begin)
    with monkeypatch.context() as patch:
        batches = iter([ladder.collate, ladder.collate])
        patch.setattr(ladder, "collate", lambda rows: next(batches)(rows))
        with pytest.raises(StopIteration):
            ladder.train(pieces, 4, tmp_path / "parts.pt", begin)
    ladder.train(pieces, 4, tmp_path / "parts.pt", begin)
    whole, parts = (torch.load(tmp_path / name, weights_only=True) for name in ("whole.pt", "parts.pt"))
    assert whole["step"] == parts["step"] == 4
    for name, value in whole["reader"].items():
        assert torch.equal(value, parts["reader"][name]), name
