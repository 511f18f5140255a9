from __future__ import annotations

import re
from pathlib import Path

import pytest

from boards.processor import parse_cpuinfo
from boards.registry import find_profile

# One block of each kind of core of a Rock 5B, as sbc-bench and py-cpuinfo show the form; most features left out.
BIG_LITTLE = """processor\t: {0}
BogoMIPS\t: 48.00
Features\t: fp asimd crc32 atomics asimddp{1}
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: {2}
"""


def captured(material: Path, name: str) -> str:
    return (material / "captures/py-cpuinfo" / name / "cat_proc_cpuinfo.txt").read_text()


def test_clusters_keep_apart_what_differs() -> None:
    blocks = [BIG_LITTLE.format(n, "", "0xd05") for n in range(4)]
    blocks += [BIG_LITTLE.format(n, " i8mm", "0xd0b") for n in range(4, 8)]
    processor = parse_cpuinfo("\n".join(blocks))
    assert processor.name == "4 x Cortex-A55 + 4 x Cortex-A76"
    assert processor.cores == 8
    assert processor.architecture == "aarch64"
    assert "asimddp" in processor.features
    assert "i8mm" not in processor.features  # a thread may be moved to a core without it


@pytest.mark.parametrize(
    ("name", "architecture", "core", "has", "lacks"),
    [
        ("linux_odroid_c2_aarch64", "aarch64", "Cortex-A53", "asimd", "atomics"),
        ("linux_aarch64_64", "aarch64", None, "atomics", "asimddp"),
        ("linux_raspberry_pi_model_b_arm", "armv6l", "ARM1176", "vfp", "neon"),
        ("linux_odroid_xu3_arm_32", "armv7l", "Cortex-A7", "neon", "asimd"),
        ("linux_beagle_bone_arm", "armv6l", "ARM1176", "vfp", "neon"),  # the capture is not what its folder says
        ("linux_ubuntu_21_04_riscv64", "riscv64", "sifive,u74-mc", None, "asimd"),
        ("linux_debian_8_x86_64", "x86_64", "Intel(R) Core(TM) i7 CPU         870  @ 2.93GHz", "ssse3", "sse4_2"),
    ],
)
def test_captured_processors_are_read(
    material: Path, name: str, architecture: str, core: str | None, has: str | None, lacks: str
) -> None:
    processor = parse_cpuinfo(captured(material, name))
    assert processor.architecture == architecture
    assert core is None or processor.clusters[0].core == core
    assert has is None or has in processor.features
    assert lacks not in processor.features
    assert processor.cores >= 1


@pytest.mark.parametrize(
    ("run", "id_"),
    [
        ("raspberry-pi-5-model-b-rev-1-0", "rpi-5"),
        ("raspberry-pi-compute-module-5-rev-1-0", "rpi-cm5"),
        ("orange-pi-5", "orangepi-5"),
        ("radxa-rock-5b-extensive", "rock-5b"),
        ("nvidia-jetson-nano-developer-kit", "jetson-nano"),
        ("nvidia-jetson-xavier-nx-developer-kit", "jetson-xavier-nx"),
        ("nvidia-orin-nano-developer-kit", "jetson-orin-nano"),
    ],
)
def test_the_tables_claim_the_features_that_runs_on_the_boards_showed(material: Path, run: str, id_: str) -> None:
    text = (material / f"captures/sbc-bench/{run}.txt").read_text(errors="replace")
    shown = re.findall(r"^Flags: +(.*)$", text, re.MULTILINE)
    assert shown
    for flags in shown:
        assert find_profile(id_).features == set(flags.split()) - {"evtstrm", "cpuid"}


def test_features_told_once_for_all_cores_count_for_each(material: Path) -> None:
    old = captured(material, "linux_raspberry_pi_model_b_arm")
    assert parse_cpuinfo(old).cores == 1
    head, cores, tail = (
        "Processor : ARMv7\n",
        "processor : 0\n\nprocessor : 1\n",
        "Features : neon\nCPU architecture: 7\n",
    )
    processor = parse_cpuinfo(f"{head}{cores}\n{tail}")
    assert processor.cores == 2
    assert "neon" in processor.features


@pytest.mark.parametrize("text", ["", "\0", ":::", "processor", "processor\t:", "processor : 0\n", "Features : neon\n"])
def test_half_a_table_is_no_error(text: str) -> None:
    processor = parse_cpuinfo(text)
    assert processor.architecture == "unknown"
    assert processor.name in ("unknown", "1 x unknown core")


def test_a_number_that_is_none_is_no_error() -> None:
    processor = parse_cpuinfo(
        "processor : 0\nFeatures : asimd\nCPU implementer : 0xzz\nCPU part : 99999999999999999999\n"
    )
    assert processor.clusters[0].core == "unknown core"
    assert processor.architecture == "aarch64"
