from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz.py")


@pytest.fixture(scope="module")
def fuzz() -> dict[str, object]:
    found: dict[str, object] = {"__name__": "fuzz"}
    exec(compile(FUZZ.read_text(), FUZZ, "exec"), found)
    return found


def test_nothing_that_dice_throw_raises_what_is_not_promised(fuzz) -> None:
    report = fuzz["main"](20_000, 1)
    assert min(report["counts"].values()) > 20, "dice that never throw a kind of input test nothing"


def test_memory_does_not_grow_with_what_comes_in(fuzz) -> None:
    run = fuzz["Fuzz"](2)
    for _ in range(500):
        run.step()
    tracemalloc.start()
    try:
        for _ in range(1000):
            run.step()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 4096


def test_another_seed_gives_another_digest(fuzz) -> None:
    assert fuzz["main"](200, 1)["digest"] != fuzz["main"](200, 2)["digest"]


@pytest.mark.parametrize("seed", [1, 2])
def test_micropython_gives_the_same_results_in_as_little_memory_as_a_microcontroller_has(
    fuzz, micropython, seed: int
) -> None:
    inputs = 5000 if micropython.kind == "unix" else 500
    report = json.loads(micropython.run(FUZZ, str(inputs), str(seed), heap_kb=200))
    assert report == fuzz["main"](inputs, seed)
