from __future__ import annotations

import csv
from pathlib import Path

import pytest

from boards import EdgeError, detect, profiles
from boards.detection import MOST_NAME_BYTES

# What boards call themselves: compatible (most specific first), model, the profile, and where that was seen.
LINUX = "device trees of Linux, as in u-boot/u-boot dts/upstream"
SBC = "ThomasKaiser/sbc-bench, results: as booted"
LUCKFOX = "LuckfoxTECH/luckfox-pico, sysdrv/source/kernel/arch/arm/boot/dts"
RPI = "raspberrypi/linux, arch/arm/boot/dts/broadcom"
JETSON = "NVIDIA/jetson-gpio, gpio_pin_data.py"
SUPER = "public reports of JetPack 6.2 systems (L4T R36.4)"
SEEN = [
    ("raspberrypi,model-zero-2-w brcm,bcm2837", "Raspberry Pi Zero 2 W Rev 1.0", "rpi-zero-2w", RPI),
    ("raspberrypi,model-zero-2-w brcm,bcm2837", "Raspberry Pi Zero 2 Rev 1.0", "rpi-zero-2w", SBC),
    ("raspberrypi,3-model-b-plus brcm,bcm2837", "Raspberry Pi 3 Model B+", "rpi-3b-plus", RPI),
    ("raspberrypi,3-model-b-plus brcm,bcm2837", "Raspberry Pi 3 Model B Plus Rev 1.3", "rpi-3b-plus", RPI),
    ("raspberrypi,4-model-b brcm,bcm2711", "Raspberry Pi 4 Model B Rev 1.4", "rpi-4b", SBC),
    ("raspberrypi,5-model-b brcm,bcm2712", "Raspberry Pi 5 Model B Rev 1.1", "rpi-5", SBC),
    ("raspberrypi,5-compute-module brcm,bcm2712", "Raspberry Pi Compute Module 5 Rev 1.0", "rpi-cm5", SBC),
    ("radxa,rock-5b rockchip,rk3588", "Radxa ROCK 5B", "rock-5b", LINUX),
    ("xunlong,orangepi-5 rockchip,rk3588s", "Xunlong Orange Pi 5", "orangepi-5", LINUX),
    ("rockchip,rk3588s-orangepi-5 rockchip,rk3588", "Orange Pi 5", "orangepi-5", SBC),
    ("radxa,rock3a rockchip,rk3568", "Radxa ROCK 3A", "rock-3a", LINUX),
    ("radxa,zero-3w rockchip,rk3566", "Radxa ZERO 3W", "radxa-zero-3w", LINUX),
    ("radxa,rock-3c rockchip,rk3566", "Radxa ROCK 3C", "rock-3c", LINUX),
    ("xunlong,orangepi-3b-v1.1 xunlong,orangepi-3b rockchip,rk3566", "Xunlong Orange Pi 3B v1.1", "orangepi-3b", LINUX),
    ("xunlong,orangepi-3b-v2.1 xunlong,orangepi-3b rockchip,rk3566", "Xunlong Orange Pi 3B v2.1", "orangepi-3b", LINUX),
    ("nvidia,p3450-0000 nvidia,tegra210", "NVIDIA Jetson Nano Developer Kit", "jetson-nano", LINUX),
    (
        "nvidia,p3541-0000 nvidia,p3450-0000 nvidia,tegra210",
        "NVIDIA Jetson Nano 2GB Developer Kit",
        "jetson-nano",
        LINUX,
    ),
    (
        "nvidia,p3449-0000-b00+p3448-0000-b00 nvidia,jetson-nano nvidia,tegra210",
        "NVIDIA Jetson Nano Developer Kit",
        "jetson-nano",
        SBC,
    ),
    (
        "nvidia,p3449-0000+p3668-0000 nvidia,p3449-0000+p3668-0001 nvidia,p3509-0000+p3668-0000 "
        "nvidia,p3509-0000+p3668-0001 nvidia,tegra194",
        "NVIDIA Jetson Xavier NX Developer Kit",
        "jetson-xavier-nx",
        SBC,
    ),
    (
        "nvidia,p3768-0000+p3767-0003 nvidia,p3768-0000+p3767-0005 nvidia,p3767-0003 nvidia,p3767-0005 nvidia,tegra234 "
        "nvidia,tegra23x",
        "NVIDIA Orin Nano Developer Kit",
        "jetson-orin-nano",
        SBC,
    ),
    (
        "nvidia,p3768-0000+p3767-0005-super nvidia,p3767-0005 nvidia,tegra234",
        "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        "jetson-orin-nano",
        SUPER,
    ),
    ("nvidia,p3509-0000+p3767-0004-super nvidia,tegra234", "", "jetson-orin-nano", JETSON),
    (
        "nvidia,p3737-0000+p3701-0005 nvidia,p3701-0005 nvidia,tegra234",
        "NVIDIA Jetson AGX Orin Developer Kit",
        "jetson-agx-orin",
        JETSON,
    ),
    ("rockchip,rv1103g-38x38-ipc-v10 rockchip,rv1103", "Luckfox Pico Mini A", "luckfox-pico", LUCKFOX),
    ("rockchip,rv1103g-38x38-ipc-v10 rockchip,rv1106", "Luckfox Pico Pro", "luckfox-pico-rv1106", LUCKFOX),
    ("rockchip,rv1103g-38x38-ipc-v10 rockchip,rv1106g3", "Luckfox Pico Ultra", "luckfox-pico-rv1106", LUCKFOX),
    # Relatives of known boards that are none of them.
    ("raspberrypi,3-model-b brcm,bcm2837", "Raspberry Pi 3 Model B Rev 1.2", "generic", SBC),
    ("raspberrypi,400 brcm,bcm2711", "Raspberry Pi 400 Rev 1.0", "generic", LINUX),
    ("radxa,rock-5b-plus rockchip,rk3588", "Radxa ROCK 5B+", "generic", LINUX),
    ("radxa,rock-5a rockchip,rk3588", "Radxa ROCK 5A", "generic", SBC),
    ("xunlong,orangepi-5-plus rockchip,rk3588", "Xunlong Orange Pi 5 Plus", "generic", LINUX),
    ("radxa,zero-3e rockchip,rk3566", "Radxa ZERO 3E", "generic", LINUX),
    (
        "nvidia,p3768-0000+p3767-0000-super nvidia,p3767-0000 nvidia,tegra234",
        "NVIDIA Jetson Orin NX Engineering Reference Developer Kit Super",
        "generic",
        JETSON,
    ),
    (
        "nvidia,p3740-0002+p3701-0008 nvidia,p3701-0008 nvidia,tegra234",
        "NVIDIA IGX Orin Development Kit",
        "generic",
        LINUX,
    ),
    ("luckfox,omni3576 luckfox,core3576 rockchip,rk3576", "Luckfox Omni3576 Carrier Board", "generic", LINUX),
    ("rockchip,rv1103g-38x38-ipc-v10 rockchip,rv1103", "Rockchip RV1103G 38X38 IPC", "generic", LUCKFOX),
    ("khadas,vim3 amlogic,a311d amlogic,g12b", "Khadas VIM3", "generic", SBC),
    ("starfive,visionfive-2-v1.3b starfive,jh7110", "StarFive VisionFive 2 v1.3B", "generic", LINUX),
]


def tree(folder: Path, compatible: bytes | None = None, model: bytes | None = None, **files: str) -> Path:
    """Lay out a root folder; keys of ``files`` are paths below it with ``__`` for ``/``."""
    place = folder / "proc/device-tree"
    place.mkdir(parents=True)
    for name, told in (("compatible", compatible), ("model", model)):
        if told is not None:
            (place / name).write_bytes(told)
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def found(root: Path) -> str:
    return detect(root, {}).profile.id


@pytest.mark.parametrize(("names", "model", "expected", "source"), SEEN)
def test_a_board_is_found_exactly_or_is_generic(
    tmp_path: Path, names: str, model: str, expected: str, source: str
) -> None:
    told = "".join(f"{name}\0" for name in names.split()).encode()
    board = detect(tree(tmp_path, told, f"{model}\0".encode() if model else None), {})
    assert board.profile.id == expected, source
    assert board.compatibles == tuple(names.split())
    assert board.model == (model or profiles()[expected].name)


def test_every_board_of_the_tables_was_seen_somewhere() -> None:
    assert {expected for _, _, expected, _ in SEEN} | {"pc"} == set(profiles())


def test_every_captured_tree_gives_its_board_or_generic(material: Path, tmp_path: Path) -> None:
    expected = {
        "bcm2837-rpi-zero-2-w": "rpi-zero-2w",
        "bcm2711-rpi-4-b": "rpi-4b",
        "raspberry-pi-5-model-b": "rpi-5",
        "rk3588-rock-5b": "rock-5b",
        "rk3588s-orangepi-5": "orangepi-5",
        "tegra210-p3450-0000": "jetson-nano",
        "nvidia-orin-nano-devkit": "jetson-orin-nano",
        "tegra234-p3768-0000+p3767-0005": "jetson-orin-nano",
    }
    captures = sorted((material / "captures/devicetree/proc").iterdir())
    assert len(captures) >= 16
    for capture in captures:
        root = tree(tmp_path / capture.name, *((capture / name).read_bytes() for name in ("compatible", "model")))
        assert found(root) == expected.get(capture.name, "generic"), capture.name


def test_of_three_thousand_boards_only_the_known_ones_are_known(material: Path, tmp_path: Path) -> None:
    with (material / "captures/devicetree/model_compatible.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 3000
    names = {name for profile in profiles().values() for name in profile.compatibles}
    models = {model for profile in profiles().values() for model in profile.models}
    for number, row in enumerate(rows):
        compatible, model = row["compatible (space separated)"].split(), row["model"]
        known = bool(compatible) and (compatible[0] in names or model in models)
        related = "Raspberry" in model or "rockchip" in row["dts"] or "nvidia" in row["dts"]
        if known or related:
            root = tree(tmp_path / str(number), "\0".join([*compatible, ""]).encode(), f"{model}\0".encode())
            assert (found(root) != "generic") == known, row


def test_a_later_name_counts_only_where_the_model_says_the_same(tmp_path: Path) -> None:
    names = b"acme,cool-board\0raspberrypi,4-model-b\0brcm,bcm2711\0"
    assert found(tree(tmp_path / "clone", names, b"ACME Cool Board\0")) == "generic"
    assert found(tree(tmp_path / "silent", names)) == "generic"
    assert found(tree(tmp_path / "newer", names, b"Raspberry Pi 4 Model B Rev 1.5\0")) == "rpi-4b"


def test_a_name_and_a_model_of_two_boards_are_neither(tmp_path: Path) -> None:
    board = detect(tree(tmp_path, b"radxa,rock-5b\0rockchip,rk3588\0", b"Raspberry Pi 5 Model B Rev 1.0\0"), {})
    assert board.profile.id == "generic"
    assert "different boards" in board.found_by


def test_a_name_that_is_cut_off_may_be_the_beginning_of_another(tmp_path: Path) -> None:
    assert found(tree(tmp_path / "cut", b"xunlong,orangepi-5")) == "generic"
    assert found(tree(tmp_path / "told twice", b"xunlong,orangepi-5", b"Xunlong Orange Pi 5\0")) == "orangepi-5"
    assert found(tree(tmp_path / "shorter", b"raspberrypi,4-mod")) == "generic"


@pytest.mark.parametrize(
    "told",
    [b"", b"\0", b"\0\0\0", b"\n", b"\xff\xfe\x00\xff\x00", b"caf\xc3\0", b"x" * (1 << 20), b"a\0" * (1 << 19)],
    ids=["empty", "one NUL", "NULs", "newline", "not UTF-8", "half a letter", "huge", "a great many"],
)
def test_nonsense_is_generic_and_never_an_error(tmp_path: Path, told: bytes) -> None:
    board = detect(tree(tmp_path, told, told, proc__cpuinfo=told.decode("latin-1"), proc__meminfo="MemTotal: much"), {})
    assert board.profile.id == "generic"
    assert len(board.model) <= MOST_NAME_BYTES
    assert (board.ram_bytes, board.ram_option_bytes) == (0, None)
    assert board.processor.architecture == "unknown"


def test_a_folder_with_nothing_in_it_is_generic(tmp_path: Path) -> None:
    board = detect(tmp_path, {})
    assert (board.profile.id, board.model, board.compatibles) == ("generic", "Unknown board", ())
    assert detect(tmp_path / "is not there", {}).profile.id == "generic"


def test_a_folder_in_the_place_of_a_file_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "proc/device-tree/compatible").mkdir(parents=True)
    (tmp_path / "proc/cpuinfo").mkdir()
    assert found(tmp_path) == "generic"


def test_lines_do_as_well_as_nul_characters(tmp_path: Path) -> None:
    assert found(tree(tmp_path, b"radxa,rock-5b\nrockchip,rk3588\n", b"Radxa ROCK 5B\n")) == "rock-5b"


def test_the_other_place_of_the_device_tree_does_as_well(tmp_path: Path) -> None:
    place = tmp_path / "sys/firmware/devicetree/base"
    place.mkdir(parents=True)
    (place / "compatible").write_bytes(b"raspberrypi,5-model-b\0brcm,bcm2712\0")
    assert found(tmp_path) == "rpi-5"


def test_a_model_alone_does_where_there_are_no_names(tmp_path: Path) -> None:
    assert found(tree(tmp_path, None, b"Raspberry Pi 4 Model B Rev 1.1\0")) == "rpi-4b"


def test_in_a_container_without_the_device_tree_the_processor_table_tells_the_model(tmp_path: Path) -> None:
    cpuinfo = "processor : 0\nFeatures : fp asimd\n\nRevision : c03114\nModel : Raspberry Pi 4 Model B Rev 1.4\n"
    board = detect(tree(tmp_path, proc__cpuinfo=cpuinfo), {})
    assert (board.profile.id, board.model) == ("rpi-4b", "Raspberry Pi 4 Model B Rev 1.4")


def test_a_pc_is_told_by_its_processor_and_named_by_its_firmware(tmp_path: Path) -> None:
    files = {
        "proc__cpuinfo": "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu lm sse2\n",
        "sys__class__dmi__id__sys_vendor": "LENOVO\n",
        "sys__class__dmi__id__product_name": "20XW004QGE\n",
    }
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    board = detect(tmp_path, {})
    assert (board.profile.id, board.model) == ("pc", "LENOVO 20XW004QGE")
    (tmp_path / "sys/class/dmi/id/sys_vendor").write_text("To Be Filled By O.E.M.\n")
    (tmp_path / "sys/class/dmi/id/product_name").write_text("System Product Name\n")
    assert detect(tmp_path, {}).model == "PC"


def test_the_environment_has_the_last_word(tmp_path: Path) -> None:
    root = tree(tmp_path, b"radxa,rock-5b\0", proc__meminfo="MemTotal:         437252 kB\n")
    board = detect(root, {"EDGE_BOARD": "rpi-zero-2w"})
    assert board.profile.id == "rpi-zero-2w"
    assert board.ram_option_bytes == 512 << 20
    assert "EDGE_BOARD" in board.found_by
    assert detect(root, {"EDGE_BOARD": " "}).profile.id == "rock-5b"


def test_an_unknown_board_in_the_environment_is_an_error_with_near_names(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"'rpi-zero-2-w'") as caught:
        detect(tmp_path, {"EDGE_BOARD": "rpi-zero-2-w"})
    assert "rpi-zero-2w" in (caught.value.why or "")


@pytest.mark.parametrize(
    ("profile", "mem_total_kb", "option_mb"),
    [
        ("rpi-zero-2w", 437_248, 512),  # sbc-bench: 427 MiB
        ("rpi-4b", 3_885_000, 4096),
        ("rpi-5", 4_194_304, 4096),
        ("rock-5b", 16_100_000, 16384),
        ("jetson-orin-nano", 7_802_880, 8192),  # tegrastats: 7620 MB
        ("jetson-agx-orin", 31_434_752, 32768),  # tegrastats: 30698 MB
        ("rock-5b", 33_000_000, None),
    ],
)
def test_the_memory_sold_is_the_least_that_holds_what_the_kernel_has(
    tmp_path: Path, profile: str, mem_total_kb: int, option_mb: int | None
) -> None:
    meminfo = f"MemTotal:       {mem_total_kb} kB\nMemFree:          100 kB\n"
    board = detect(tree(tmp_path, proc__meminfo=meminfo), {"EDGE_BOARD": profile})
    assert board.ram_bytes == mem_total_kb * 1024
    assert board.ram_option_bytes == (None if option_mb is None else option_mb << 20)


def test_this_machine_is_something() -> None:
    board = detect(environ={})
    assert board.processor.cores >= 1
    assert board.ram_bytes > 64 << 20
    assert board.found_by.endswith(".")
