from __future__ import annotations

from pathlib import Path

import pytest

from boards import Cluster, EdgeError, Processor, check, check_installed, require
from boards.processor import parse_cpuinfo, this_processor
from boards.registry import find_profile, profiles
from boards.requirement import REQUIREMENTS, X86_64_V2


def of(id_: str) -> Processor:
    profile = find_profile(id_)
    return Processor(profile.architecture, profile.clusters)


@pytest.mark.parametrize("library", ["litert-lm-api", "mediapipe"])
@pytest.mark.parametrize(
    ("id_", "fits"), [("rpi-4b", False), ("jetson-nano", False), ("rpi-5", True), ("rock-5b", True)]
)
def test_libraries_with_unchecked_atomics_need_armv8_1(library: str, id_: str, fits: bool) -> None:
    finding = check(library, of(id_), 64)
    assert finding.fits is fits
    if not fits:
        assert "needs atomics" in finding.sentence
        assert "SIGILL" in finding.sentence
        assert "ai-edge-litert" in finding.fix


@pytest.mark.parametrize("profile", [p for p in profiles().values() if p.architecture == "aarch64"], ids=lambda p: p.id)
def test_the_sdk_s_own_engine_runs_on_every_64_bit_board(profile: object) -> None:
    finding = check("ai-edge-litert", of(getattr(profile, "id")), 64)  # noqa: B009 - pytest hands objects on
    assert (finding.fits, finding.fix) == (True, "")


def test_one_little_core_without_a_feature_spoils_it() -> None:
    clusters = (
        Cluster("Cortex-A73", 4, frozenset({"asimd"})),
        Cluster("Cortex-A76", 4, frozenset({"asimd", "atomics"})),
    )
    assert check("litert-lm-api", Processor("aarch64", clusters), 64).fits is False


def test_32_bit_libraries_need_neon(material: Path) -> None:
    text = (material / "captures/py-cpuinfo/linux_odroid_xu3_arm_32/cat_proc_cpuinfo.txt").read_text()
    assert check("tflite-runtime", parse_cpuinfo(text), 32).fits is True
    tegra2 = Processor("armv7l", (Cluster("Cortex-A9", 2, frozenset({"vfpv3"})),))
    finding = check("tflite-runtime", tegra2, 32)
    assert finding.fits is False
    assert "neon and vfpv4" in finding.sentence
    assert "NEON" in finding.fix


def test_a_32_bit_python_on_a_64_bit_processor_takes_32_bit_libraries() -> None:
    assert check("tflite-runtime", of("rpi-4b"), 32).fits is True
    finding = check("ai-edge-litert", of("rpi-4b"), 32)
    assert finding.fits is False
    assert "not known to be built for armv7l" in finding.sentence
    assert "64-bit system" in finding.fix


def test_nothing_is_built_for_armv6(material: Path) -> None:
    text = (material / "captures/py-cpuinfo/linux_raspberry_pi_model_b_arm/cat_proc_cpuinfo.txt").read_text()
    for library in ("tflite-runtime", "ai-edge-litert"):
        finding = check(library, parse_cpuinfo(text), 32)
        assert finding.fits is False
        assert "ARMv6" in finding.fix


def test_an_old_or_clipped_x86_processor_is_told_apart(material: Path) -> None:
    text = (material / "captures/py-cpuinfo/linux_debian_8_x86_64/cat_proc_cpuinfo.txt").read_text()
    finding = check("numpy", parse_cpuinfo(text), 64)
    assert finding.fits is False
    assert "numpy needs cx16, popcnt, sse4_1 and sse4_2, which 1 x Intel" in finding.sentence
    assert "virtual" in finding.fix


def test_litert_lm_needs_more_of_x86_than_the_sdk_s_own_engine() -> None:
    nehalem = Processor("x86_64", (Cluster("Nehalem", 4, X86_64_V2 | {"lm"}),))
    assert check("ai-edge-litert", nehalem, 64).fits is True
    assert "needs aes and avx, which 4 x Nehalem does not have" in check("litert-lm-api", nehalem, 64).sentence


def test_an_unknown_processor_is_neither_refused_nor_approved() -> None:
    finding = check("ai-edge-litert", parse_cpuinfo(""), 64)
    assert finding.fits is None
    assert "not known" in finding.sentence


def test_what_was_never_tried_is_neither_refused_nor_approved() -> None:
    pc = Processor("x86_64", (Cluster("any", 2, X86_64_V2),))
    finding = check("mediapipe", pc, 64)
    assert (finding.fits, finding.missing) == (None, ())
    assert "x86_64 is not known" in finding.sentence


def test_of_an_unknown_library_nothing_is_said() -> None:
    with pytest.raises(KeyError, match="left-pad"):
        check("left-pad", of("rpi-5"))


def test_only_what_could_be_imported_is_checked_and_nothing_is_loaded() -> None:
    asked = []

    def find(module: str) -> object:
        asked.append(module)
        return module in ("litert_lm", "ai_edge_litert") or None

    findings = check_installed(of("rpi-4b"), find)
    assert [(each.library, each.fits) for each in findings] == [("litert-lm-api", False), ("ai-edge-litert", True)]
    assert set(asked) == {each.module for each in REQUIREMENTS}


def test_what_would_end_the_process_is_an_error_before_that() -> None:
    with pytest.raises(EdgeError, match="needs atomics") as caught:
        require("litert-lm-api", of("rpi-zero-2w"))
    assert "ai-edge-litert" in (caught.value.fix or "")


def test_a_build_that_nobody_knows_of_is_not_refused() -> None:
    riscv = parse_cpuinfo("processor : 0\nhart : 0\nisa : rv64imafdc\n")
    assert check("ai-edge-litert", riscv, 64).fits is False
    require("ai-edge-litert", riscv)
    require("ai-edge-litert", parse_cpuinfo(""))


def test_this_machine_runs_what_these_tests_run_on() -> None:
    findings = {each.library: each for each in check_installed(this_processor())}
    assert findings["numpy"].fits is not False
    require("numpy")
