"""What is said to `load`: budgets and settings that make no sense, and names without a plain variant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import edge_sdk as edge
from edge_sdk.bundle import add_bundle
from edge_sdk.errors import EdgeError, UnitError
from edge_sdk.pipeline import loading


@pytest.mark.parametrize("budget", [0, "", -1, "0"])
def test_no_memory_at_all_is_not_the_same_as_no_budget(budget: str | int) -> None:
    with pytest.raises(UnitError):
        edge.load("smear", budget=budget)


def test_an_empty_budget_in_the_environment_is_none_and_a_bad_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_scarce", lambda _: False)
    monkeypatch.setenv("EDGE_BUDGET", "")
    with edge.load("smear") as model:
        assert model.plan is None
    monkeypatch.setenv("EDGE_BUDGET", "plenty")
    with pytest.raises(UnitError, match="EDGE_BUDGET"):
        edge.load("smear")


@pytest.mark.parametrize("settings", [{"task": "nonsense"}, {"engine": "x"}, {"threads": 0}, {"threads": -3}])
def test_settings_that_make_no_sense_are_refused_before_anything_is_opened(settings: dict[str, Any]) -> None:
    with pytest.raises(EdgeError, match=str(next(iter(settings.values())))):
        edge.load("smear", **settings)


def test_a_family_without_a_plain_variant_is_loaded_by_its_name(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_BUNDLES", str(tmp_path))
    add_bundle(material / "bundles/tiny-text.litertlm", name="film@int4")
    with edge.load("film", threads=1) as model:
        assert model.bundle.path.stem == "film@int4"
