from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

import boards
import edge_sdk
from boards import requirement
from boards.processor import parse_cpuinfo
from edge_sdk.cli.main import COMMANDS, edge

HEAVY = ("numpy", "cv2", "ai_edge_litert", "tflite_runtime", "click", "jinja2", "sentencepiece", "google.protobuf")


def test_importing_the_sdk_loads_nothing_heavy() -> None:
    code = f"import sys, edge_sdk; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


@pytest.mark.parametrize("name", edge_sdk.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(edge_sdk, name)
    assert name == "__version__" or (value.__doc__ and len(value.__doc__) > 20)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = edge_sdk.nothing  # type: ignore[attr-defined]


class TestAProcessorThatNumpyWouldDieOn:
    CORE_2 = "processor\t: 0\nmodel name\t: Intel Core 2\nflags\t\t: fpu lm sse2 ssse3 cx16 lahf_lm pni\n"

    @pytest.fixture(autouse=True)
    def core_2(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "cpuinfo").write_text(self.CORE_2)
        monkeypatch.setattr(edge_sdk, "_CPUINFO", str(tmp_path / "cpuinfo"))
        monkeypatch.setattr(requirement, "this_processor", lambda: parse_cpuinfo(self.CORE_2))
        if sys.maxsize <= 2**32:
            pytest.skip("numpy's builds for 32-bit x86 are not known")

    @pytest.mark.parametrize("name", ["Frame", "load", "open_bundle", "open_camera", "open_model", "plan"])
    def test_is_told_before_numpy_is_loaded(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(edge_sdk, "import_module", {"boards": boards}.__getitem__)
        with pytest.raises(edge_sdk.EdgeError, match=r"numpy needs popcnt, sse4_1 and sse4_2, which .*SIGILL"):
            edge_sdk.__getattr__(name)

    def test_is_told_by_the_commands_that_need_numpy(self) -> None:
        for name in COMMANDS:
            if name in ("board", "bridge", "doctor", "watch"):
                assert edge.get_command(click.Context(edge), name)
            else:
                with pytest.raises(edge_sdk.EdgeError, match="SIGILL"):
                    edge.get_command(click.Context(edge), name)

    def test_leaves_the_errors_to_be_had(self) -> None:
        assert edge_sdk.__getattr__("OverBudget")


def test_what_numpy_needs_is_known_alike_in_both_places() -> None:
    assert edge_sdk._X86_FEATURES == requirement.X86_64_V2


@pytest.mark.parametrize("text", ["", "processor\t: 0\nFeatures\t: fp asimd\n", None])
def test_a_processor_that_tells_no_flags_is_let_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(edge_sdk, "_CPUINFO", str(tmp_path / "cpuinfo"))
    assert edge_sdk.__getattr__("Frame").__name__ == "Frame"
