"""The committed figures: they are the shipped bundle's, reach the bars, and stand in the model card."""

from __future__ import annotations

import json
from typing import Any

import card
import pytest

from edge_sdk.bundle import find_bundle, sha256

# The least that the bundle must reach on the validation pictures.
F1 = {"wbc": 0.93, "rbc": 0.92, "platelet": 0.75}
COUNT_ACCURACY = {"wbc": 0.95, "rbc": 0.92, "platelet": 0.70}
TOTAL_ACCURACY = {"wbc": 0.96, "rbc": 0.96, "platelet": 0.90}
F1_KEPT = 0.987
AGREE = 0.90
ABOVE_BLIND = 0.25
REFUSED = 0.95


def read(path: Any) -> dict[str, Any]:
    if not path.exists():
        pytest.skip(f"{path.name} is not there: measure it as models/smear/README.md says")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def evaluation() -> dict[str, Any]:
    return read(card.EVALUATION)


@pytest.fixture(scope="module")
def refusal() -> dict[str, Any]:
    return read(card.REFUSAL)


def test_the_figures_are_of_the_shipped_bundle(evaluation, refusal) -> None:
    digest = sha256(find_bundle("smear"))
    assert evaluation["bundle_sha256"] == digest
    assert refusal["bundle_sha256"] == digest
    assert evaluation["pictures"] == {"scored": 265, "without_labels": 0}


@pytest.mark.parametrize("name", F1)
def test_cells_are_found_and_counted_well_enough(evaluation, name: str) -> None:
    got = evaluation["int8"][name]
    assert got["f1"] >= F1[name]
    assert got["count_accuracy"] >= COUNT_ACCURACY[name]
    assert got["total_accuracy"] >= TOTAL_ACCURACY[name]


@pytest.mark.parametrize("key", ["f1_kept", "f1_kept_own_rule"])
@pytest.mark.parametrize("name", ["wbc", "rbc", "all"])
def test_int8_keeps_what_float_finds(evaluation, key: str, name: str) -> None:
    assert evaluation[key][name] >= F1_KEPT


def test_spoken_counts_agree_with_counted_cells_and_are_no_guesses(evaluation) -> None:
    spoken = evaluation["answers"]
    assert spoken["agree"] >= AGREE
    assert spoken["right"] - spoken["blind"] >= ABOVE_BLIND


def test_frames_that_are_no_film_are_refused_and_films_are_not(refusal) -> None:
    assert refusal["no_film"]["all"]["refused"] >= REFUSED
    assert refusal["film"]["all"]["refused"] <= 1 - REFUSED


def test_the_model_card_has_these_figures(evaluation, refusal) -> None:
    text = card.CARD.read_text()
    assert card.with_figures(text, card.figures(evaluation, refusal)) == text
