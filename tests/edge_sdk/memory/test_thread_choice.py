"""The number of threads is measured once for a bundle on a processor, and remembered beside its packed weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edge_sdk as edge
from edge_sdk.bundle import Bundle, open_bundle
from edge_sdk.memory import plan_for, thread_choice
from edge_sdk.memory.thread_choice import ThreadChoice, choose_threads, measure_threads, remembered_threads
from edge_sdk.runtime import WeightCache


@pytest.fixture
def bundle(material: Path) -> Bundle:
    return open_bundle(material / "bundles" / "tiny-text-two-caches.litertlm")


@pytest.fixture
def cache(tmp_path: Path) -> WeightCache:
    return WeightCache(tmp_path / "weights")


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else this machine does meanwhile."""
    monkeypatch.setattr(thread_choice, "_CALM", 1e9)


@pytest.mark.parametrize(
    ("steps_s", "threads"),
    [
        ({1: 0.010}, 1),
        ({1: 0.010, 2: 0.0098, 4: 0.0097}, 1),
        ({1: 0.010, 2: 0.006, 4: 0.0059}, 2),
        ({1: 0.010, 2: 0.006, 4: 0.004}, 4),
        ({1: 0.010, 2: 0.012, 4: 0.03}, 1),
    ],
)
def test_more_threads_have_to_be_worth_it(steps_s: dict[int, float], threads: int) -> None:
    assert ThreadChoice(steps_s).threads == threads


def test_what_was_measured_is_remembered_and_told_by_the_plan(bundle: Bundle, cache: WeightCache) -> None:
    assert remembered_threads(bundle, cache) is None
    found = measure_threads(bundle, cache)
    assert found is not None
    assert 1 in found.steps_s
    assert remembered_threads(bundle, cache) == found
    plan = plan_for(bundle.path, weight_cache=cache)
    assert plan.threads == found.threads
    assert f"(measured: {found})" in str(plan)
    assert json.loads(json.dumps(plan.as_json()))["threads"] == found.threads


def test_what_the_user_says_wins(bundle: Bundle, cache: WeightCache) -> None:
    measure_threads(bundle, cache)
    plan = plan_for(bundle.path, weight_cache=cache, threads=3)
    assert plan.threads == 3
    assert "measured:" not in str(plan).splitlines()[1]


def test_what_was_measured_beside_busy_programs_is_not_kept(
    bundle: Bundle, cache: WeightCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_choice, "_CALM", -1.0)
    assert measure_threads(bundle, cache) is None
    assert remembered_threads(bundle, cache) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"1": "fast"}', '{"1": -1.0}', '{"999": 0.1}', '{"a": 0.1}', "[[[["])
def test_a_damaged_record_is_none(bundle: Bundle, cache: WeightCache, text: str) -> None:
    measure_threads(bundle, cache)
    (record,) = (cache.folder.parent / "measured").iterdir()
    record.write_text(text)
    assert remembered_threads(bundle, cache) is None


def test_it_is_measured_when_the_weights_are_packed_and_not_again(
    bundle: Bundle, cache: WeightCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[int] = []
    monkeypatch.setattr(thread_choice, "is_packed", lambda *_: bool(packed))
    monkeypatch.setattr(thread_choice, "pack_weights", lambda *arguments: packed.append(arguments[3]))
    monkeypatch.setattr(thread_choice, "measure_threads", lambda *_: ThreadChoice({1: 0.2, 2: 0.1}))
    assert choose_threads(bundle, "auto", cache) == 2
    assert choose_threads(bundle, "auto", cache) is None, "it is packed, and nothing was remembered"
    assert len(packed) == 1


def test_the_older_engine_and_a_user_without_a_home_are_not_measured(bundle: Bundle, cache: WeightCache) -> None:
    assert choose_threads(bundle, "interpreter", cache) is choose_threads(bundle, "auto", None) is None


def test_answers_do_not_depend_on_it(bundle: Bundle, cache: WeightCache) -> None:
    texts = []
    for _ in range(2):
        with edge.load(bundle.path, weight_cache=cache) as model:
            texts.append(model.ask("count the cells", max_tokens=12).text)
        measure_threads(bundle, cache)
    assert texts[0] == texts[1]
