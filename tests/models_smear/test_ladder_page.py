from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import ladder_page
import numpy as np
import pytest
from answer_score import Record
from evaluate_ladder import FIGURES, METHODS, Method, rows_of
from question import Facts, Question

ROOT = Path(__file__).resolve().parents[2]


def asked(method: Method, right: int) -> list[Record]:
    """Return ten counts of red cells, so many of them right."""
    question = Question("count", ("rbc",), "")
    facts = [Facts((1, n, 0), {}, 0.7) for n in range(1, 11)]
    told = ["There are 99 red blood cells."] * (10 - right)
    told = [f"There are {fact.counts[1]} red blood cells." for fact in facts[:right]] + told
    return [Record(question, reply, fact, fact) for reply, fact in zip(told, facts, strict=True)]


def rows(**right: int) -> dict[tuple[str, int, int | None], bool]:
    """Return which methods are kept where each has so many right; ``pool_36_192`` is pooling a smaller picture."""
    records = {}
    for name, count in right.items():
        way, tokens, *small = name.split("_")
        method = Method(way, int(tokens), int(small[0]) if small else None)
        records[method] = asked(method, count)
    return {(row["way"], row["tokens"], row["input_px"]): row["kept"] for row in rows_of(records)}


def test_a_way_is_kept_where_it_beats_both_plain_ones_and_every_other() -> None:
    kept = rows(all_144=9, pool_36=8, merge_36=7, stride_36=3, drop_36=4)
    assert [key for key, yes in kept.items() if yes] == [("all", 144, None), ("pool", 36, None)]


@pytest.mark.parametrize("rival", ["stride_36", "drop_36", "merge_36"])
def test_a_way_that_does_no_better_than_a_rival_goes(rival: str) -> None:
    assert not rows(all_144=9, pool_36=6, **{rival: 6})["pool", 36, None]


def test_a_smaller_picture_has_to_beat_the_plain_ways_too_but_not_the_large_picture() -> None:
    assert rows(all_144=9, pool_36=8, pool_36_192=7, stride_36=3)["pool", 36, 192]
    assert not rows(all_144=9, pool_36=8, pool_36_192=3, stride_36=3)["pool", 36, 192]


def test_more_tokens_that_are_worse_by_more_than_a_point_than_fewer_go() -> None:
    assert not rows(all_144=9, merge_72=6, pool_36=8)["merge", 72, None]
    assert rows(all_144=9, merge_72=9, pool_36=8)["merge", 72, None]


def test_every_method_leaves_as_many_tokens_as_it_says() -> None:
    tokens = np.random.default_rng(0).normal(size=(144, 8)).astype(np.float32)
    for method in METHODS:
        owners = method.owners(tokens, seed=1)
        assert owners.max() + 1 == method.tokens


@pytest.mark.skipif(not FIGURES.exists(), reason="no ladder was measured")
def test_the_page_and_its_picture_show_what_was_measured() -> None:
    measured = json.loads(FIGURES.read_text())["methods"]
    page = (ROOT / "docs/explanation/visual-tokens.md").read_text()
    assert ladder_page.with_figures(page, ladder_page.table(measured)) == page
    picture = ladder_page.draw(measured)
    assert (ROOT / "docs/images/visual-tokens.svg").read_text() == picture
    root = ElementTree.fromstring(picture)
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 5


@pytest.mark.skipif(not FIGURES.exists(), reason="no ladder was measured")
def test_a_quarter_of_the_tokens_costs_at_most_a_point() -> None:
    measured = json.loads(FIGURES.read_text())["methods"]
    right = {(row["tokens"], row["input_px"]): 100 * row["right"] for row in measured if row["kept"]}
    assert right[144, None] - right[36, None] <= 1
