"""A delegate is had for the vision encoder alone, and only where nothing is planned."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import edge_sdk as edge
from boards.telemetry import Memory
from edge_sdk.errors import EdgeError, ModelError
from edge_sdk.memory import LANGUAGE, part
from edge_sdk.pipeline import loading
from edge_sdk.runtime import Model, WeightCache, delegate_findings, open_model

PHOTO = next((Path(edge.__file__).parent / "data/photos").glob("*.jpg"))
SOURCE = Path(__file__).parents[1] / "runtime/delegate.c"
QUESTION = "How many white blood cells are there?"
ENCODER = "tf_lite_pixel_encoder"


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that compiles a delegate that behaves as a flag says."""
    compiler = shutil.which("gcc")
    if not compiler:
        pytest.skip("no gcc here to compile delegates with")

    def compile_delegate(name: str, flag: str) -> Path:
        subprocess.run([compiler, "-shared", "-fPIC", flag, "-o", str(tmp_path / name), str(SOURCE)], check=True)
        return tmp_path / name

    return compile_delegate


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[object, Model]]:
    """Note what every section is opened with, by its offset, and what came of it."""
    seen: dict[int, tuple[object, Model]] = {}

    def noting(path: Path, **said: object) -> Model:
        model = open_model(path, **said)  # type: ignore[arg-type]
        seen[int(str(said["offset"]))] = said["delegate"], model
        return model

    monkeypatch.setattr(part, "open_model", noting)
    return seen


def test_the_encoder_runs_on_the_delegate_and_the_decoder_on_the_cpu(
    build: Callable[..., Path], opened: dict[int, tuple[object, Model]], tmp_path: Path
) -> None:
    library = str(build("libtest.so", "-DCLAIM(code)=(code == RESHAPE)"))
    cache = WeightCache(tmp_path / "cache")
    with edge.load("smear", threads=1, weight_cache=cache, delegate=library) as model:
        helped = model.ask(QUESTION, PHOTO).text
        model.count(PHOTO)
        ran = {section.name: opened[section.offset][1].delegate for section in model.bundle.sections
               if section.offset in opened}  # fmt: skip
    assert [name for name, delegate in ran.items() if delegate == "libtest.so"] == [ENCODER]
    assert set(LANGUAGE) & set(ran)
    with edge.load("smear", threads=1, weight_cache=cache, delegate="cpu") as model:
        assert model.ask(QUESTION, PHOTO).text == helped


def test_a_boards_own_delegate_is_tried_unasked_and_the_cpu_goes_on(
    build: Callable[..., Path],
    opened: dict[int, tuple[object, Model]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(build("libteflon.so", "-DCRASH_IN_CREATE").parent))
    monkeypatch.setenv("EDGE_BOARD", "rock-5b")
    cache = WeightCache(tmp_path / "cache")
    with edge.load("smear", threads=1, weight_cache=cache) as model:
        assert model.embed(PHOTO).size
    assert {delegate for delegate, _ in opened.values()} == {"auto"}
    assert {model.delegate for _, model in opened.values()} == {"cpu"}
    kept = {finding.delegate: finding.outcome for finding in delegate_findings(cache.folder)}
    assert kept["teflon"] == "crashed"


def test_one_that_is_named_and_does_not_do_is_an_error(tmp_path: Path) -> None:
    with (
        edge.load("smear", weight_cache=WeightCache(tmp_path), delegate=str(tmp_path / "none.so")) as model,
        pytest.raises(ModelError, match=r"The delegate none\.so is not used"),
    ):
        model.embed(PHOTO)


def test_an_engine_that_takes_none_is_left_alone(opened: dict[int, tuple[object, Model]]) -> None:
    with edge.load("smear", engine="litert", threads=1) as model:
        assert model.embed(PHOTO).size
    assert {delegate for delegate, _ in opened.values()} == {"cpu"}


@pytest.mark.parametrize("said", [{"budget": "10GB"}, {"stream": True}])
def test_what_is_planned_runs_on_the_cpu_or_says_why(
    said: dict[str, object], opened: dict[int, tuple[object, Model]]
) -> None:
    with pytest.raises(EdgeError, match="teflon cannot be used within a budget"):
        edge.load("smear", delegate="teflon", **said)  # type: ignore[arg-type]
    with edge.load("smear", threads=1, **said) as model:  # type: ignore[arg-type]
        assert model.embed(PHOTO).size
    assert {delegate for delegate, _ in opened.values()} == {"cpu"}


def test_scarce_memory_plans_nothing_for_who_names_a_delegate(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(8 << 30, 120_000_000, 0, 0, 0, (), ())
    monkeypatch.setattr(loading, "read_memory", lambda: memory)
    with edge.load("smear", delegate="teflon") as model:
        assert model.plan is None
