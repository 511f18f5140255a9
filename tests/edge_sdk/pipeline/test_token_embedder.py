from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from edge_sdk.bundle import find_bundle, open_bundle
from edge_sdk.memory import Loader, bundle_parts
from edge_sdk.pipeline import token_embedder
from edge_sdk.pipeline.token_embedder import TokenEmbedder
from edge_sdk.runtime import Model, Run


@pytest.fixture
def model() -> Iterator[Model]:
    with (
        open_bundle(find_bundle("smear")) as bundle,
        Loader(bundle_parts(bundle)) as loader,
        loader.acquire("tf_lite_embedder") as found,
    ):
        yield found


def rows(embedder: TokenEmbedder, *tokens: int) -> np.ndarray:
    found = np.zeros((len(tokens), embedder._row.size), np.float32)
    for token, row in zip(tokens, found, strict=True):
        embedder.look_up(token, row)
    return found


def test_a_token_is_looked_up_once_and_gives_the_same_row_again(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Run] = []
    call = Run.__call__

    def note(run: Run) -> None:
        runs.append(run)
        call(run)

    monkeypatch.setattr(Run, "__call__", note)
    found = rows(TokenEmbedder(model), 7, 300, 7, 9, 300)
    assert len(runs) == 3
    np.testing.assert_array_equal(found[[0, 1]], found[[2, 4]])
    assert not np.array_equal(found[0], found[1])


def test_no_more_rows_are_kept_than_there_is_room_for(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = rows(TokenEmbedder(model), *range(5, 15))
    monkeypatch.setattr(token_embedder, "_KEPT_BYTES", 3 * expected[0].nbytes)
    embedder = TokenEmbedder(model)
    np.testing.assert_array_equal(rows(embedder, *range(5, 15)), expected)
    assert len(embedder._kept) == 3
    np.testing.assert_array_equal(rows(embedder, *range(5, 15)), expected)
