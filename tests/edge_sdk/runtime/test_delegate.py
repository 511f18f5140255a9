"""Delegates are used where they are right, and where they are not, the reason is kept."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import subprocess
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from boards import find_profile
from edge_sdk.bundle import open_bundle
from edge_sdk.errors import ModelError
from edge_sdk.runtime import (
    DELEGATES,
    DelegateFinding,
    WeightCache,
    delegate_check,
    delegate_findings,
    ladder,
    open_model,
)
from edge_sdk.runtime.delegate import find_delegate, operators_taken
from edge_sdk.runtime.region import Region

SMEAR = Path(__file__).parents[3] / "edge_sdk" / "data" / "smear.litertlm"
RESHAPE = "-DCLAIM(code)=(code == RESHAPE)"
ALL = "-DCLAIM(code)=1"
Build = Callable[..., Path]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Give a function that compiles a delegate that behaves as its flags say, once for each set of flags."""
    compiler = shutil.which("gcc")
    if not compiler:
        pytest.skip("no gcc here to compile delegates with")
    made: dict[tuple[str, ...], Path] = {}

    def compile_delegate(*flags: str) -> Path:
        if flags not in made:
            made[flags] = tmp_path_factory.mktemp("delegate") / "libtest.so"
            source = str(Path(__file__).with_name("delegate.c"))
            subprocess.run([compiler, "-shared", "-fPIC", *flags, "-o", made[flags], source], check=True)
        return made[flags]

    return compile_delegate


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """Give the cell-centre head of the shipped bundle, a small INT8 network, as a file of its own."""
    return section("tf_lite_aux", tmp_path)


def section(name: str, folder: Path) -> Path:
    part = open_bundle(SMEAR).section(name)
    file = folder / f"{name}.tflite"
    file.write_bytes(SMEAR.read_bytes()[part.offset : part.offset + part.size])
    return file


@pytest.fixture
def cache(tmp_path: Path) -> WeightCache:
    return WeightCache(tmp_path / "cache")


def kept(cache: WeightCache, model: Path) -> dict[str, DelegateFinding]:
    return {found.delegate: found for found in delegate_findings(cache.folder) if found.model == str(model)}


def refuse(model: Path, delegate: Path, cache: WeightCache | None = None) -> str:
    with pytest.raises(ModelError, match=r"libtest\.so is not used") as caught:
        open_model(model, delegate=str(delegate), threads=1, weight_cache=cache)
    assert caught.value.fix
    return caught.value.why or ""


def test_a_delegate_that_is_right_is_used(head: Path, build: Build, cache: WeightCache) -> None:
    library = str(build(RESHAPE))
    with open_model(head, delegate=library, threads=1, weight_cache=cache) as model, open_model(head, threads=1) as cpu:
        assert (model.delegate, cpu.delegate) == ("libtest.so", "cpu")
        runs = model.bind(), cpu.bind()
        values = np.random.default_rng(3).random(runs[0].inputs["features"].shape)
        for run in runs:
            run.inputs["features"][...] = values
            run()
        np.testing.assert_allclose(runs[0].outputs["scores"], runs[1].outputs["scores"], atol=0.02)
    found = kept(cache, head)["libtest.so"]
    assert found.taken
    assert found.operators == 1
    assert "took 1 of 7 operators" in found.reason


def test_a_model_that_is_forgotten_ends_before_its_delegate(head: Path, build: Build, cache: WeightCache) -> None:
    """The delegate of the test crashes where it is not so."""
    run = open_model(head, delegate=str(build(RESHAPE)), threads=1, weight_cache=cache).bind()
    run()
    model = weakref.ref(run._model)
    del run
    gc.collect()
    assert model() is None


def test_the_encoder_of_a_bundle_is_run_where_it_lies(build: Build, cache: WeightCache) -> None:
    part = open_bundle(SMEAR).section("tf_lite_vision_encoder")
    place = {"offset": part.offset, "size": part.size}
    with open_model(SMEAR, **place, delegate=str(build(RESHAPE)), threads=1, weight_cache=cache) as model:
        assert model.delegate == "libtest.so"


@pytest.mark.parametrize("file", ["mlperf_tiny_vww_96_int8.tflite", "mobilenet_v1_0.25_128_quant.tflite"])
def test_classifiers_are_told_right_from_wrong(material: Path, file: str, build: Build, cache: WeightCache) -> None:
    model = material / "models" / file
    with open_model(model, delegate=str(build(RESHAPE)), threads=1, weight_cache=cache) as opened:
        assert opened.delegate == "libtest.so"
    assert "Its answer is off by" in refuse(model, build(ALL, "-DZEROS"), cache)
    assert "Its answer is off by" in refuse(model, build(RESHAPE, "-DSTALE"), cache)


def test_a_delegate_that_refuses_is_quoted(head: Path, build: Build, cache: WeightCache) -> None:
    assert refuse(head, build('-DREFUSE_WITHOUT="/none"'), cache) == "It refused: No accelerator is plugged in."
    assert "too large for the accelerator" in refuse(head, build("-DFAIL_PREPARE"), cache)


def test_what_is_plugged_in_later_is_found_and_what_is_unplugged_is_missed(
    head: Path, build: Build, cache: WeightCache, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    library = build(RESHAPE, f'-DREFUSE_WITHOUT="{device}"')
    refuse(head, library, cache)
    device.touch()
    with open_model(head, delegate=str(library), threads=1, weight_cache=cache) as model:
        assert model.delegate == "libtest.so"
    device.unlink()
    assert "right before, and now: No accelerator is plugged in." in refuse(head, library, cache)
    with open_model(head, delegate=[str(library), "cpu"], threads=1, weight_cache=cache) as model:
        assert model.delegate == "cpu"
    assert kept(cache, head)["libtest.so"].outcome == "refused"


@pytest.mark.parametrize("fault", [[ALL, "-DZEROS"], [RESHAPE, "-DSTALE"], [RESHAPE, "-DOFF=60"]])
def test_a_wrong_answer_is_not_taken(head: Path, build: Build, cache: WeightCache, fault: list[str]) -> None:
    assert "where 0.25 is allowed" in refuse(head, build(*fault), cache)
    assert kept(cache, head)["libtest.so"].outcome == "wrong"


def test_rounding_is_not_held_against_a_delegate(head: Path, build: Build, cache: WeightCache) -> None:
    with open_model(head, delegate=str(build(RESHAPE, "-DOFF=1")), threads=1, weight_cache=cache) as model:
        assert model.delegate == "libtest.so"
    assert "off by 0.00" not in kept(cache, head)["libtest.so"].reason


@pytest.mark.parametrize(
    ("flag", "step"),
    [
        ("-DCRASH_IN_CREATE", "loading"),
        ("-DCRASH_IN_PREPARE", "loading"),
        ("-DCRASH_IN_INVOKE", "answering"),
        ("-DCRASH_IN_DESTROY", "closing"),
    ],
)
def test_a_crash_is_a_reason_and_not_the_end(
    head: Path, build: Build, cache: WeightCache, flag: str, step: str
) -> None:
    assert refuse(head, build(RESHAPE, flag), cache) == f"It crashed with SIGSEGV while {step}."


def test_a_library_that_ends_its_process_says_so(head: Path, build: Build) -> None:
    assert refuse(head, build("-DEXIT_IN_CREATE")) == "It ended its process, with exit code 3, while loading."


def test_a_hang_is_cut_short(head: Path, build: Build, cache: WeightCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegate_check, "_LIMIT_S", 2.0)
    assert refuse(head, build(RESHAPE, "-DHANG"), cache) == "It hung while answering: nothing for 2 s."


def test_a_file_that_is_no_delegate_says_so(head: Path, tmp_path: Path, build: Build) -> None:
    text = tmp_path / "libtest.so"
    text.write_text("no library")
    assert "It refused" in refuse(head, text)
    assert "is not installed" in refuse(head, tmp_path / "none" / "libtest.so")


def test_one_that_takes_nothing_is_used_when_asked_for_and_passed_over_otherwise(
    head: Path, build: Build, cache: WeightCache
) -> None:
    library = str(build())
    with open_model(head, delegate=library, threads=1, weight_cache=cache) as model:
        assert model.delegate == "libtest.so"
    assert "took 0 of 7 operators" in kept(cache, head)["libtest.so"].reason
    with open_model(head, delegate=[library, "cpu"], threads=1, weight_cache=cache) as model:
        assert model.delegate == "cpu"


def test_a_ladder_is_gone_down_to_the_first_that_is_right(
    head: Path, build: Build, cache: WeightCache, caplog: pytest.LogCaptureFixture
) -> None:
    wrong, right = str(build(ALL, "-DZEROS")), str(build(RESHAPE))
    with (
        caplog.at_level(logging.INFO, "edge_sdk.runtime"),
        open_model(head, delegate=["teflon", wrong, right, "cpu"], threads=1, weight_cache=cache) as model,
    ):
        assert model.delegate == "libtest.so"
    assert "teflon is not used" in caplog.text
    assert "Its answer is off by" in caplog.text
    outcomes = {found.outcome for found in delegate_findings(cache.folder) if found.model == str(head)}
    assert outcomes == {"missing", "wrong", "taken"}


def test_a_ladder_without_a_delegate_that_is_right_ends_at_the_cpu(
    head: Path, build: Build, cache: WeightCache
) -> None:
    rungs = [str(build(ALL, "-DZEROS")), str(build("-DCRASH_IN_CREATE")), "cpu"]
    with open_model(head, delegate=rungs, threads=1, weight_cache=cache) as model:
        assert model.delegate == "cpu"


def test_teflon_is_found_by_name_and_only_asked_for_what_it_can(
    tmp_path: Path, build: Build, cache: WeightCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(build(RESHAPE), tmp_path / "libteflon.so")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setenv("EDGE_BOARD", "rock-5b")
    with open_model(section("tf_lite_aux", tmp_path), delegate="auto", threads=1, weight_cache=cache) as model:
        assert model.delegate == "teflon"
    with pytest.raises(ModelError, match=r"teflon is not used") as caught:
        open_model(section("tf_lite_embedder", tmp_path), delegate="teflon", threads=1)
    assert "has none of them" in (caught.value.why or "")
    with pytest.raises(ModelError, match=r"teflon is not used") as caught:
        open_model(section("tf_lite_vision_adapter", tmp_path), delegate="teflon", threads=1)
    assert "computes in float" in (caught.value.why or "")


def test_what_was_found_is_not_tried_again_until_a_file_changes(
    head: Path, build: Build, cache: WeightCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "libtest.so"
    shutil.copy(build(ALL, "-DZEROS"), library)
    tried = []
    real = delegate_check._Trial
    monkeypatch.setattr(delegate_check, "_Trial", lambda request: tried.append(request) or real(request))
    first = refuse(head, library, cache)
    assert refuse(head, library, cache) == first
    assert len(tried) == 1
    os.utime(head, (1, 1))
    assert refuse(head, library, cache) == first
    assert len(tried) == 2
    shutil.copy(build(RESHAPE), library)
    open_model(head, delegate=str(library), threads=1, weight_cache=cache).close()
    assert len(tried) == 3
    for file in (cache.folder / "delegates").iterdir():
        file.write_text("{}")
    open_model(head, delegate=str(library), threads=1, weight_cache=cache).close()
    assert len(tried) == 4


def test_a_finding_that_cannot_be_written_down_holds_for_this_process(
    head: Path, build: Build, cache: WeightCache
) -> None:
    cache.folder.parent.mkdir(exist_ok=True)
    cache.folder.write_text("no folder")
    open_model(head, delegate=str(build(RESHAPE)), threads=1, weight_cache=cache).close()
    assert [found.outcome for found in delegate_findings() if found.model == str(head)] == ["taken"]


def test_an_unknown_name_and_the_wrong_engine_are_said_to_be_wrong(head: Path) -> None:
    with pytest.raises(ModelError, match=r"no delegate 'gpu'") as caught:
        open_model(head, delegate="gpu")
    assert "teflon, edgetpu, cpu" in (caught.value.fix or "")
    with pytest.raises(ModelError, match=r"Only the engine 'interpreter'"):
        open_model(head, engine="litert", delegate="teflon")


def test_a_board_gets_the_ladder_of_its_accelerators(head: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ladder(find_profile("rpi-4b").accelerators) == ("edgetpu", "cpu")
    assert ladder([]) == ("cpu",)
    monkeypatch.setenv("EDGE_BOARD", "rpi-4b")
    open_model(head, delegate="auto", threads=1).close()
    assert [found.delegate for found in delegate_findings() if found.model == str(head)] == ["edgetpu"]


def test_an_edge_tpu_gets_what_was_compiled_for_it(head: Path) -> None:
    tpu = DELEGATES["edgetpu"]
    with pytest.raises(ModelError, match=r"to run, tf_lite_aux_edgetpu\.tflite is missing"):
        tpu.program(Region.of(head))
    compiled = head.with_name("tf_lite_aux_edgetpu.tflite")
    shutil.copy(head, compiled)
    for asked in (head, compiled):
        program, reference = tpu.program(Region.of(asked))
        assert (program.path, reference.path) == (compiled, head)
    with pytest.raises(ModelError, match=r"a bundle holds nothing of that kind"):
        tpu.program(Region.of(SMEAR, 16384, 100))


def test_what_was_compiled_runs_and_what_it_was_made_from_is_compared(
    head: Path, build: Build, cache: WeightCache
) -> None:
    shutil.copy(head, head.with_name("tf_lite_aux_edgetpu.tflite"))
    tpu = replace(DELEGATES["edgetpu"], library=str(build(RESHAPE)))
    region = Region.of(head)
    model, found = delegate_check.open_delegated(tpu, region, region.describe(), 1, cache.folder)
    assert model
    model.close()
    assert found.taken
    part = open_bundle(SMEAR).section("tf_lite_embedder")
    other = SMEAR.read_bytes()[part.offset : part.offset + part.size]
    head.with_name("tf_lite_aux_edgetpu.tflite").write_bytes(other)
    model, found = delegate_check.open_delegated(tpu, region, region.describe(), 1, cache.folder)
    assert (model, found.outcome) == (None, "wrong")


def test_a_library_is_named_after_its_file() -> None:
    assert find_delegate("/opt/vendor/libnpu.so").name == "libnpu.so"
    assert find_delegate("/opt/vendor/libnpu.so").find() is None


def test_operators_between_a_delegates_inputs_and_outputs_are_those_it_took() -> None:
    def node(inputs: list[int], outputs: list[int]) -> dict[str, list[int]]:
        return {"inputs": inputs, "outputs": outputs}

    chain = [node([0], [1]), node([1, 9], [2]), node([2], [3]), node([1, 3], [4])]
    assert operators_taken(chain, 4) == 0
    assert operators_taken([*chain, node([1], [3])], 4) == 2
    assert operators_taken([*chain, node([0], [1]), node([2, 1], [4])], 4) == 3
    assert operators_taken([*chain, node([0], [4])], 4) == 4


def test_the_cpu_gets_minutes_for_a_large_model_and_a_minute_for_a_small_one() -> None:
    assert delegate_check.cpu_limit_s(1_000_000) == 65
    assert delegate_check.cpu_limit_s(100_000_000) == 560
    assert delegate_check.cpu_limit_s(10**10) == 900
