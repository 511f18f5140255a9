"""What a prompt's runs cost is measured, and a prompt as long as one before is not planned anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge_sdk.pipeline.chunk import plan_chunks
from edge_sdk.pipeline.pace import Pace

MakeToy = Callable[..., Any]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tell how many tokens each new plan was made for."""
    lengths: list[int] = []

    def note(left: int, *rest: Any, **settings: Any) -> Any:
        lengths.append(left)
        return plan_chunks(left, *rest, **settings)

    monkeypatch.setattr("edge_sdk.pipeline.pace.plan_chunks", note)
    return lengths


def paced(toy: MakeToy) -> tuple[Pace, list[Any]]:
    decoder = toy(lengths=(64,), prefills=(16,)).decoder()
    pace, stages = Pace(1_000), decoder._stages
    for signature in (stages[0].prefills[16], stages[0].decode):
        pace.note(stages[0], signature, 9.0)  # the first of its kind prepares it, and does not count
        pace.note(stages[0], signature, 0.01)
    return pace, stages


def sizes(plan: tuple[Any, list[Any]]) -> list[int]:
    return [chunk.size for chunk in plan[1]]


def test_a_prompt_as_long_as_one_before_is_not_planned_anew(toy: MakeToy, planned: list[int]) -> None:
    pace, stages = paced(toy)
    for _ in range(3):
        assert sizes(pace.plan(stages, 10, 0)) == [16]
        pace.note(stages[0], stages[0].decode, 0.0101)  # as good as before
    assert planned == [10]
    pace.plan(stages, 11, 0)
    pace.plan(stages, 10, 1)
    pace.plan(stages, 10, 0, scored=True)
    assert planned == [10, 11, 10, 10]


def test_a_run_that_got_faster_changes_the_plan(toy: MakeToy) -> None:
    pace, stages = paced(toy)
    assert sizes(pace.plan(stages, 3, 0)) == [16]
    pace.note(stages[0], stages[0].decode, 0.001)
    assert sizes(pace.plan(stages, 3, 0)) == [1, 1, 1]


def test_who_runs_the_same_model_gets_its_own_stages_in_a_plan_that_another_made(
    toy: MakeToy, planned: list[int]
) -> None:
    maker = toy(lengths=(32, 64), prefills=(16,))
    one, other = (maker.decoder()._stages for _ in range(2))
    pace = Pace(1_000)
    assert pace.plan(one, 10, 0)[0] is one[0]
    assert pace.plan(other, 10, 0)[0] is other[0]
    assert planned == [10] * 2  # a plan looks at both lengths


def test_dialogues_side_by_side_keep_their_caches(toy: MakeToy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "note", lambda *_: None)  # what runs take here is chance, and so were the plans
    maker = toy(lengths=(32, 64), prefills=(16,))
    one, other = maker.decoder(for_good=True), maker.decoder(for_good=True)
    kept = []
    for decoder, prompt in ((one, [3, 4, 5]), (other, [6, 7, 8])) * 3:
        decoder.prefill(prompt)
        decoder.reset(keep=3)
        kept.append(decoder.caches)
    assert kept[2:] == kept[:2] * 2


def test_a_plan_of_many_runs_is_not_kept(toy: MakeToy, planned: list[int]) -> None:
    maker = toy(lengths=(64,), prefills=())
    pace, stages = Pace(1_000), maker.decoder()._stages
    for _ in range(2):
        assert sizes(pace.plan(stages, 40, 0)) == [1] * 40
    assert planned == [40, 40]


def test_plans_are_kept_within_bounds(toy: MakeToy) -> None:
    pace, stages = paced(toy)
    for left in range(1, 60):
        for position in range(64 - left):
            pace.plan(stages, left, position)
    assert len(pace._plans) <= 256
