"""Opening a model: which engine takes it, and what is loaded into the process for that."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

import edge_sdk as edge
from edge_sdk.errors import BundleError, MissingDependency, ModelError
from edge_sdk.runtime import litert_library, open_model
from edge_sdk.runtime.region import Region

PHOTO = Path(edge.__file__).parent / "data/photos/smear-1.jpg"
ALONE = """
import json, sys
from edge_sdk.runtime import open_model
with open_model(sys.argv[1], engine="litert", threads=2) as model:
    model.bind()()
maps = open("/proc/self/maps").read()
print(json.dumps({
    "library": "libLiteRt.so" in maps,
    "webgpu": "WebGpu" in maps,
    "second engine": "libpywrap" in maps,
    "package": "ai_edge_litert" in sys.modules,
    "opencv": "cv2" in sys.modules,
}))
"""


def test_only_the_c_library_is_loaded_and_no_plug_in(material: Path) -> None:
    file = material / "models" / "mlperf_tiny_resnet8_cifar10_int8.tflite"
    ended = subprocess.run([sys.executable, "-c", ALONE, str(file)], capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout)
    assert found.pop("library")
    assert not any(found.values()), found
    assert ended.stderr == ""


@pytest.fixture
def without_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ai_edge_litert" else real(name))
    monkeypatch.setattr("edge_sdk.runtime.litert_program.load_library", litert_library._load.__wrapped__)


@pytest.mark.usefixtures("without_litert")
def test_without_litert_the_interpreter_takes_over(material: Path) -> None:
    file = material / "models" / "mnist_quantized.tflite"
    with open_model(file) as model:
        assert model.engine == "interpreter"
    with pytest.raises(MissingDependency, match=r"not installed") as caught:
        open_model(file, engine="litert")
    assert "pip install" in (caught.value.fix or "")


def test_a_library_that_cannot_be_loaded_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libLiteRt.so").write_bytes(b"no library")
    spec = ModuleSpec("ai_edge_litert", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(MissingDependency, match=r"does not run here") as caught:
        litert_library._load.__wrapped__()
    assert "libLiteRt.so" in (caught.value.why or "")


def test_without_any_interpreter_the_commands_are_named(material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tflite_runtime", "ai_edge_litert"):
        monkeypatch.setitem(sys.modules, f"{name}.interpreter", None)
    with pytest.raises(MissingDependency, match=r"No TensorFlow Lite interpreter") as caught:
        open_model(material / "models" / "mnist_quantized.tflite", engine="interpreter")
    assert "pip install" in (caught.value.fix or "")


@pytest.fixture
def tflite_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the interpreter that is there go by the name of the old one."""
    known = importlib.import_module("ai_edge_litert.interpreter")
    old = ModuleType("tflite_runtime.interpreter")
    old.__dict__.update({name: getattr(known, name) for name in ("Interpreter", "load_delegate")})
    monkeypatch.setitem(sys.modules, "tflite_runtime", ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, old.__name__, old)


@pytest.mark.usefixtures("tflite_runtime")
def test_the_old_interpreter_is_not_asked_what_it_would_answer_wrongly() -> None:
    with edge.load("smear", engine="interpreter", threads=1) as model:
        count = model.count(PHOTO)
        with pytest.raises(ModelError, match=r"does not run in tflite-runtime") as caught:
            list(model.ask("How many red blood cells are there?"))
    with edge.load("smear", threads=1) as model:
        assert count.totals == model.count(PHOTO).totals
    assert "gives 0" in (caught.value.why or "")
    assert "64-bit system" in (caught.value.fix or "")


@pytest.mark.usefixtures("tflite_runtime")
def test_what_the_old_interpreter_does_not_take_says_what_to_do(material: Path) -> None:
    with pytest.raises(ModelError) as caught:
        open_model(material / "models" / "negative" / "person_detect_int8.tflite", engine="interpreter")
    assert "64-bit system" in (caught.value.fix or "")


def test_a_region_is_named_by_its_file_and_place(tmp_path: Path) -> None:
    file = tmp_path / "some.litertlm"
    file.write_bytes(bytes(100))
    assert Region.of(file).name == str(file)
    assert Region.of(file, 40, 60).name == f"{file} (at byte 40)"


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no model file at"):
        open_model(tmp_path / "missing.tflite")
    (tmp_path / "empty.tflite").touch()
    with pytest.raises(BundleError, match=r"too short"):
        open_model(tmp_path / "empty.tflite")


@pytest.mark.parametrize("engine", ["litert", "interpreter"])
def test_a_model_that_is_forgotten_gives_back_what_it_held(material: Path, engine: str) -> None:
    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    def use() -> None:
        open_model(material / "models" / "mnist_quantized.tflite", engine=engine, threads=2).bind()()

    use()
    gc.collect()
    before = held()
    for _ in range(5):
        use()
    gc.collect()
    assert held() == before
