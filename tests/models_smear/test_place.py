"""The mapping network over places (where PyTorch is installed)."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install -e .[train]")
pytest.importorskip("litert_torch", reason="the networks use its operators: pip install -e .[train]")

from language import Mapper, Perception  # noqa: E402
from place import PLACES, Field, PlaceMapper, see  # noqa: E402

from edge_sdk.pipeline.visual_token import average, pool  # noqa: E402


def field(seed: int = 0, n: int = 2) -> Field:
    chance = torch.Generator().manual_seed(seed)
    cells = torch.randint(0, 2, (n, PLACES * PLACES, 3), generator=chance).float()
    return Field(cells, torch.rand(n, PLACES * PLACES, generator=chance), torch.rand(n, generator=chance))


def test_a_field_adds_up_to_what_the_scene_tells_of_the_same_features() -> None:
    torch.manual_seed(1)
    perception = Perception().eval()
    with torch.no_grad():
        perception.thresholds.fill_(0.02)
        features = torch.rand(1, 1296, 64) * 6
        scene, seen = perception(features), see(perception, features)
    assert seen.cells.sum() > 0
    thirds = seen.cells.permute(0, 2, 1).reshape(1, 3, 3, PLACES // 3, 3, PLACES // 3).sum((3, 5)).reshape(1, 3, 9)
    torch.testing.assert_close(thirds, scene.thirds)
    torch.testing.assert_close(seen.cover.mean(1).clamp(0, 1), scene.cover)
    torch.testing.assert_close(seen.film, scene.film)


def test_a_mean_of_tokens_is_the_token_of_the_mean() -> None:
    mapper, given = PlaceMapper(), field(n=1)
    given = Field(given.cells.clamp(max=1), given.cover, given.film)
    with torch.no_grad():
        tokens = mapper(given)[0].numpy()
        empty = mapper(Field(torch.zeros_like(given.cells), torch.zeros_like(given.cover), given.film * 0))[0].numpy()
    told = torch.cat([given.cells[0], given.cells[0], given.cover[0, :, None], given.film.expand(144)[:, None]], 1)
    owners = pool(PLACES, PLACES, 4)
    wanted = average(empty, owners) + average(told.numpy(), owners) @ mapper.content.detach().numpy()
    torch.testing.assert_close(
        torch.from_numpy(average(tokens, owners)), torch.from_numpy(wanted), rtol=1e-4, atol=1e-4
    )


def test_it_begins_with_what_the_spelled_thirds_were_called() -> None:
    torch.manual_seed(3)
    mapper, spelled = PlaceMapper(), Mapper()
    before = mapper.place.detach().clone()
    mapper.begin_with(spelled)
    levels = spelled.third.weight.detach().T
    added = mapper.place.detach() - 0.5 * before
    wanted = spelled.slot.detach()[-9:] + levels[0] + levels[4]
    for row, column, third in ((0, 0, 0), (3, 4, 1), (11, 0, 6), (5, 11, 5), (11, 11, 8)):
        torch.testing.assert_close(added[row * PLACES + column], wanted[third])
    torch.testing.assert_close(mapper.content.detach()[2], levels[5] - levels[4])
