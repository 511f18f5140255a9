"""Measuring what sections take, in a process of its own, and what is remembered of it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.bundle import Bundle, find_bundle, open_bundle
from edge_sdk.errors import ModelError
from edge_sdk.memory import measurement
from edge_sdk.memory.footprint import BASE, predict
from edge_sdk.memory.measurement import Measurement, measure, remembered
from edge_sdk.runtime import WeightCache

# The shipped bundle carries what was measured with other numbers of threads.
THREADS = 3


@pytest.fixture(scope="module")
def smear() -> Iterator[Bundle]:
    with open_bundle(find_bundle("smear")) as bundle:
        yield bundle


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> WeightCache:
    return WeightCache(tmp_path_factory.mktemp("kept") / "weights")


@pytest.fixture(scope="module", params=["litert", "interpreter"])
def found(request: pytest.FixtureRequest, smear: Bundle, cache: WeightCache) -> Measurement:
    return measure(smear, engine=request.param, threads=THREADS, weight_cache=cache)


def engine_of(found: Measurement) -> str:
    return found.circumstances.partition(",")[0]


def test_headers_never_tell_too_little_and_at_most_a_quarter_too_much(found: Measurement, smear: Bundle) -> None:
    engine = engine_of(found)
    told = BASE[engine]
    # How many pages of the libraries' files a kernel maps at once depends on how they lie in its cache: those of
    # OpenCV came to 7 or to 24 MB, of the same file.
    seen = replace(found.base, file_bytes=told.file_bytes)
    for name in found.sections:
        told = told + predict(smear, name, engine=engine)
        one = found.footprint(smear, name)
        assert one is not None
        assert predict(smear, name, engine=engine).private_bytes >= one.private_bytes, name
        seen = seen + one
    assert seen.peak_bytes <= told.peak_bytes <= 1.25 * seen.peak_bytes


def test_what_a_section_took_goes_back_when_it_is_closed(found: Measurement, smear: Bundle) -> None:
    for name, section in found.sections.items():
        assert section.left_private_bytes < 1_500_000, name
    total = sum(section.private_bytes for section in found.sections.values())
    assert sum(section.left_private_bytes for section in found.sections.values()) < total / 4 + 1_000_000


def test_a_measurement_is_remembered_for_its_own_circumstances_alone(
    found: Measurement, smear: Bundle, cache: WeightCache
) -> None:
    engine = engine_of(found)
    assert remembered(smear, engine=engine, threads=THREADS, weight_cache=cache) == found
    assert remembered(smear, engine=engine, weight_cache=cache, threads=THREADS + 2) is None
    without_file = remembered(smear, engine=engine, threads=THREADS, weight_cache=cache, weight_cached=False)
    # Only one of the engines has cache files that it could do without.
    assert without_file == (None if engine == "litert" else found)


def test_a_bundle_is_known_again_where_it_was_moved_and_not_where_it_was_changed(
    found: Measurement, smear: Bundle, cache: WeightCache, tmp_path: Path
) -> None:
    copy = tmp_path / "moved.litertlm"
    shutil.copyfile(smear.path, copy)
    with open_bundle(copy) as bundle:
        assert remembered(bundle, engine=engine_of(found), threads=THREADS, weight_cache=cache) == found
    with copy.open("ab") as stream:
        stream.write(b"\0")
    with open_bundle(copy) as bundle:
        assert remembered(bundle, engine=engine_of(found), threads=THREADS, weight_cache=cache) is None


@pytest.mark.parametrize("damage", ["", "{}", '{"format": 99}', "null", '{"format": 1, "circumstances": "x"}'])
def test_a_damaged_memory_is_as_good_as_none(
    found: Measurement, smear: Bundle, cache: WeightCache, tmp_path: Path, damage: str
) -> None:
    other = WeightCache(tmp_path / "weights")
    shutil.copytree(cache.folder.parent / "measured", tmp_path / "measured")
    for file in (tmp_path / "measured").iterdir():
        file.write_text(damage)
    assert remembered(smear, engine=engine_of(found), threads=THREADS, weight_cache=other) is None


def test_a_bundle_may_carry_what_was_measured_of_it(
    found: Measurement, smear: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry(monkeypatch, [found.as_json()])
    threads: Any = {"engine": engine_of(found), "threads": THREADS}
    # What it carries was measured with a cache file in the one engine that has them, so it counts where there is one.
    assert remembered(smear, **threads) == (None if engine_of(found) == "litert" else replace(found, carried=True))


def test_what_the_shipped_bundle_carries_is_read(smear: Bundle) -> None:
    carried = json.loads(smear.generic(measurement._CARRIED))
    assert {item["circumstances"].partition(",")[0] for item in carried} == set(BASE)
    for item in carried:
        assert set(measurement._read(item, smear).sections) == {part.name for part in smear.sections if part.is_model}


def carry(monkeypatch: pytest.MonkeyPatch, items: object) -> None:
    """Have every bundle carry something for a measurement."""
    data = items if isinstance(items, bytes) else json.dumps(items).encode()
    monkeypatch.setattr(Bundle, "generic", lambda *_: data)


def damaged(found: dict[str, Any]) -> Iterator[object]:
    """Give what somebody may have put into a bundle in the place of a measurement."""
    name = next(iter(found["sections"]))

    def changed(**items: object) -> list[object]:
        return [found | {"sections": found["sections"] | {name: found["sections"][name] | items}}]

    yield changed(private=-50_000_000)
    yield changed(private=1.5)
    yield changed(private=True)
    yield changed(file=10**15)
    yield changed(signatures={})
    yield changed(signatures={"other": [0, 0]})
    yield changed(signatures={"embedder": [-1, 0]})
    yield json.dumps(changed(file=-77)).replace("-77", "1e999").encode()
    yield [found | {"sections": []}]
    yield [found | {"sections": {"tf_lite_none": found["sections"][name]}}]
    yield [found | {"base": [1e999, 0]}]
    yield [[]]
    yield b"[" * 200_000


def test_what_a_bundle_carries_is_not_believed_where_it_makes_no_sense(
    found: Measurement, smear: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    circumstances = measurement.describe_circumstances(engine_of(found), THREADS, cached=False)
    whole = found.as_json() | {"circumstances": circumstances}
    for items in damaged(whole):
        carry(monkeypatch, items)
        assert remembered(smear, engine=engine_of(found), threads=THREADS) is None, str(items)[:200]
    carry(monkeypatch, [whole])
    assert remembered(smear, engine=engine_of(found), threads=THREADS) is not None


@pytest.mark.parametrize("said", ["", "[]", "{}", "noise", '{"base": [1, 2], "sections": {"x": {}}}'])
def test_odd_figures_from_the_process_that_measures_are_an_error_of_ours(
    smear: Bundle, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(measurement, "worker_command", lambda *_: [sys.executable, "-c", f"print({said!r})"])
    with pytest.raises(ModelError, match="could not be measured"):
        measure(smear, engine="litert")


def test_what_a_library_prints_while_it_is_measured_is_none_of_the_figures(
    smear: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = (
        "import os, sys; from edge_sdk.memory import measurement_worker as worker; figures = worker._figures;"
        "worker._figures = lambda job: (os.write(1, b'INFO: noise'), {'base': [1, 2], 'sections': {}})[1];"
        "sys.argv[1:] = ['', '', sys.argv[-1]]; worker.main()"
    )
    monkeypatch.setattr(measurement, "worker_command", lambda _, job: [sys.executable, "-c", noisy, job])
    with pytest.raises(ModelError, match="none of its sections"):
        measure(smear, engine="litert")


def test_a_section_that_was_not_measured_has_no_footprint(found: Measurement, smear: Bundle) -> None:
    assert found.footprint(smear, "tf_lite_audio") is None


def test_a_model_that_the_engine_does_not_take_cannot_be_measured(material: Path, cache: WeightCache) -> None:
    with (
        open_bundle(material / "models/keras_lstm_mnist_ptq.tflite") as bundle,
        pytest.raises(ModelError, match="none of its sections"),
    ):
        measure(bundle, engine="litert", weight_cache=cache)


def test_a_process_that_was_stopped_is_told_from_one_that_failed(
    smear: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(code: str) -> Any:
        return lambda *_: [sys.executable, "-c", code]

    monkeypatch.setattr(measurement, "worker_command", command("import os; os.kill(os.getpid(), 9)"))
    with pytest.raises(ModelError, match="SIGKILL"):
        measure(smear, engine="litert")
    monkeypatch.setattr(measurement, "worker_command", command("raise SystemExit('no such thing')"))
    with pytest.raises(ModelError) as error:
        measure(smear, engine="litert")
    assert error.value.why == "no such thing"
