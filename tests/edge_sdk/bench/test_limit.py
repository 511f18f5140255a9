from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.bench import limit
from edge_sdk.bench.limit import int8_macs_per_s, read_bandwidth_bytes_per_s
from edge_sdk.bench.product import product_model
from edge_sdk.bundle.tflite import read_tflite
from edge_sdk.errors import ModelError
from edge_sdk.runtime import open_model


def ticking(step_s: float) -> Callable[[], float]:
    """A clock that goes on by as much at every look."""
    ticks = itertools.count()
    return lambda: next(ticks) * step_s


def test_bandwidth_is_what_all_threads_read_together_in_the_time_that_it_took() -> None:
    assert read_bandwidth_bytes_per_s(2, 1 << 20, tries=2, clock=ticking(0.5)) == (1 << 20) / 0.5


def test_a_fast_read_is_repeated_until_starting_the_threads_does_not_show() -> None:
    assert read_bandwidth_bytes_per_s(1, 1 << 12, tries=1, clock=ticking(0.01)) == pytest.approx(3 * (1 << 12) / 0.01)


def test_a_working_set_that_no_thread_number_divides_is_read_as_far_as_it_can_be() -> None:
    assert read_bandwidth_bytes_per_s(3, 4000, tries=1, clock=ticking(1.0)) == 3996


def test_a_clock_that_stands_still_ends_no_later() -> None:
    assert read_bandwidth_bytes_per_s(1, 4, tries=1, clock=lambda: 0.0) > 0


def test_the_best_try_counts() -> None:
    # Two looks each for warming up and for finding out how long a read takes, then two for every try.
    looks = iter([0, 1, 1, 2, 2, 6, 6, 7, 7, 9])
    assert read_bandwidth_bytes_per_s(1, 400, tries=3, clock=lambda: float(next(looks))) == 400


@pytest.mark.parametrize("engine", ["litert", "interpreter"])
def test_the_products_are_what_numpy_gives(engine: str, tmp_path: Path) -> None:
    rows, side = 5, 64
    (tmp_path / "product.tflite").write_bytes(product_model(rows, side, 1))
    weights = np.random.default_rng(7).integers(-127, 128, (side, side), np.int8)
    given = np.random.default_rng(1).uniform(-1, 1, (rows, side)).astype(np.float32)
    with open_model(tmp_path / "product.tflite", engine=engine, threads=1) as model:
        run = model.bind()
        next(iter(run.inputs.values()))[:] = given
        run()
        found = next(iter(run.outputs.values()))
    exact = given @ weights.T.astype(np.float32) / (74 * side**0.5)
    assert np.abs(found - exact).max() < 0.02 * np.abs(exact).max()  # activations go through 8 bits


def test_a_chain_keeps_numbers_as_large_as_they_came(tmp_path: Path) -> None:
    (tmp_path / "product.tflite").write_bytes(product_model(2, 256, 8))
    with open_model(tmp_path / "product.tflite", threads=1) as model:
        run = model.bind()
        next(iter(run.inputs.values()))[:] = np.random.default_rng(1).standard_normal((2, 256))
        run()
        assert 0.3 < float(next(iter(run.outputs.values())).std()) < 3


def test_the_model_is_a_sound_file() -> None:
    graph = read_tflite(memoryview(product_model(128, 32, 4)), "product").subgraphs[0]
    assert (dict(graph.weights), dict(graph.operators)) == ({"qint8": 1}, {"FULLY_CONNECTED": 4})
    assert [end.shape for end in (*graph.inputs, *graph.outputs)] == [(128, 32), (128, 32)]


def test_the_rate_counts_every_multiplication(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "_SIDE", 32)
    # A try is over after one run, at the first look past its time: three looks in all.
    assert int8_macs_per_s(1, 2, tries=1, clock=ticking(0.25)) == pytest.approx(2 * 32 * 32 * 8 / 0.5)


def test_an_engine_that_is_not_there_says_so() -> None:
    with pytest.raises(ModelError, match="no engine 'gpu'"):
        int8_macs_per_s(1, engine="gpu")


def test_no_file_is_left_or_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "_SIDE", 32)
    before = set(Path("/proc/self/fd").iterdir())
    int8_macs_per_s(1, 1, tries=1)
    assert len(set(Path("/proc/self/fd").iterdir()) - before) == 0
