"""The mapping network and the decoder (where PyTorch is installed)."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.pipeline import centre

torch = pytest.importorskip("torch", reason="training needs torch: pip install -e .[train]")
pytest.importorskip("litert_torch", reason="the decoder needs litert-torch: pip install -e .[train]")

import language  # noqa: E402
from tokenizer import CACHE_LENGTH  # noqa: E402


@pytest.mark.parametrize("last", [None, 0, 1, 2])
def test_steps_over_a_cache_give_what_the_whole_sequence_gives(last: int | None):
    torch.manual_seed(0)
    decoder = language.Decoder(language.Shape(64, layers=2)).eval()
    rows = torch.randn(1, 10, language.WIDTH)
    caches = {}
    for i in range(2):
        caches[f"kv_cache_k_{i}"] = torch.zeros(1, 4, CACHE_LENGTH, 32)
        caches[f"kv_cache_v_{i}"] = torch.zeros(1, 4, 32, CACHE_LENGTH)
    chosen = None if last is None else torch.eye(3)[last][None, None]
    with torch.no_grad():
        whole = decoder(rows)
        for start, stop in ((0, 4), (4, 7), (7, 10)):
            mask = torch.full((1, 1, stop - start, CACHE_LENGTH), -1e30)
            for i in range(start, stop):
                mask[0, 0, i - start, : i + 1] = 0
            positions = torch.arange(start, stop, dtype=torch.int32)
            row = chosen if stop == 10 else None
            out = decoder.step(rows[:, start:stop], positions, mask, caches, speak=stop == 10, last_row=row)
            caches = {k: v for k, v in out.items() if k.startswith("kv")}
    expected = whole[:, 7:] if last is None else whole[:, 7 + last : 8 + last]
    assert torch.allclose(out["logits"], expected, atol=1e-4)


def blobs(places: list[tuple[int, int]], width: float = 2.0) -> torch.Tensor:
    steps = torch.arange(72.0)
    field = torch.zeros(72, 72)
    for n, (y, x) in enumerate(places):
        bump = torch.exp(-((steps[:, None] - y) ** 2 + (steps[None] - x) ** 2) / (2 * width**2))
        field = torch.maximum(field, bump * (0.9 - 0.01 * n))
    return field


@pytest.mark.parametrize("radius", [2.0, 4.0, 6.0])
def test_peak_pooling_counts_what_taking_peaks_in_turn_counts(radius: float):
    rng = np.random.default_rng(int(radius))
    perception = language.Perception()
    perception.thresholds.fill_(0.35)
    perception.radii.fill_(0.5)
    gaps = []
    for _ in range(20):
        places = [tuple(p) for p in rng.integers(2, 70, (8, 2)).tolist()]
        scores = torch.stack([blobs(places[:3]), blobs(places), blobs(places[4:])])[None]
        sides = torch.full((1, 1, 72, 72), 2 * radius)
        pooled = perception._peaks(scores, sides).sum((0, 2, 3))
        rule = centre.CentreRule((0.35,) * 3, (0.5,) * 3)
        shares = np.full((72, 72, 2), 2 * radius / 72, np.float32)
        found = centre.find_centres(scores[0].permute(1, 2, 0).numpy(), shares, rule)
        gaps += (pooled.numpy() - np.bincount(found.kind, minlength=3)).tolist()
    assert np.mean(np.abs(gaps) < 0.5) >= 0.95


def test_an_empty_map_holds_no_cell():
    perception = language.Perception()
    assert perception._peaks(torch.zeros(1, 3, 72, 72), torch.full((1, 1, 72, 72), 8.0)).sum() == 0


def test_a_number_is_spelled_by_one_mark_and_a_part_by_two():
    spelled = language._spell(torch.tensor([[2.0, 2.25]]), 5)
    assert torch.allclose(spelled[0, 0], torch.tensor([0, 0, 1.0, 0, 0]))
    assert torch.allclose(spelled[0, 1], torch.tensor([0, 0, 0.75, 0.25, 0]))


def test_a_frame_becomes_as_many_tokens_as_the_card_says():
    adapter = language.Adapter(language.Perception(), language.Mapper()).eval()
    with torch.no_grad():
        out = adapter(torch.rand(1, 1296, 64))["mm_embedding"]
    assert tuple(out.shape) == (1, language.VISUAL_TOKENS, language.WIDTH)
