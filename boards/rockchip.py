"""Boards on Rockchip processors, as data.

Sources
-------
Names: Linux' device trees (arch/arm64/boot/dts/rockchip), and those of github.com/LuckfoxTECH/luckfox-pico. What vendor
kernels call a board, their thermal zones, and CPU features: runs of sbc-bench (github.com/ThomasKaiser/sbc-bench,
results). RAM, cameras and headers: Radxa's pages (github.com/radxa-docs/docs); headers of the Orange Pis:
github.com/orangepi-xunlong/wiringOP (physToGpio_5 and physToGpio_3B) together with github.com/adafruit/Adafruit_Blinka.
A pin on which two sources differ, or two revisions of a board, is left out.
"""

from __future__ import annotations

import re
from dataclasses import replace

from boards.accelerator import CPU, EDGE_TPU, Accelerator, unreachable_gpu
from boards.profile import (
    GIB,
    MIB,
    CameraStack,
    Cluster,
    HeaderPin,
    Port,
    PowerMode,
    Profile,
    ThrottleSource,
)

__all__ = ["PROFILES"]

V8_2 = frozenset(
    {"fp", "asimd", "aes", "pmull", "sha1", "sha2", "crc32", "atomics", "fphp", "asimdhp", "asimdrdm", "lrcpc", "dcpop"}
    | {"asimddp"}
)
# As Linux names the features of a Cortex-A7 (github.com/ThomasKaiser/sbc-bench, Raspberry Pi 2 Model B).
V7 = frozenset({"half", "thumb", "fastmult", "vfp", "edsp", "neon", "vfpv3", "tls", "vfpv4", "idiva", "idivt"})

GPU = unreachable_gpu("Mali GPU")
NPU_3588 = Accelerator(
    "NPU", "teflon", True,
    "By Mesa's Teflon over the Rocket driver: Linux 6.18 and Mesa 25.3 or newer (Debian 13 has Mesa 25.0.7), and INT8 "
    "graphs of convolutions only. Rockchip's own RKNN is another way, but takes no TFLite models.",
)  # fmt: skip
NPU_RKNN = Accelerator(
    "NPU", None, True, "Not reachable: it runs models compiled by Rockchip's RKNN, which are not TFLite models."
)

GPIO_LABELS = ("gpio0", "gpio1", "gpio2", "gpio3", "gpio4")
THROTTLING = (
    ThrottleSource("sys/class/thermal/cooling_device*/cur_state", "above 0: a cooling device slows something down"),
    ThrottleSource("sys/class/devfreq/*/cur_freq", "below max_freq while busy: GPU, NPU or memory is held back"),
)
POWER_MODES = (
    PowerMode("cpufreq governor", "write ondemand, performance or powersave to scaling_governor of each policy (root)"),
    PowerMode("devfreq governor", "the same for GPU, NPU and memory below /sys/class/devfreq (root)"),
)
CAMERAS = (
    CameraStack("v4l2", "USB cameras and microscopes"),
    CameraStack("gst-v4l2", "cameras on the ribbon connector, by GStreamer under the vendor's kernel"),
)
CONSOLE = Port("/dev/ttyS2", "the console, at 1 500 000 baud", "/dev/ttyFIQ0 under the vendor's kernel")
CONSOLE_ON_HEADER = replace(CONSOLE, where="header pins 8 and 10; the console, at 1 500 000 baud")
BY_RSETUP = "switch the overlay on in rsetup"
BY_ORANGEPI_CONFIG = "switch the overlay on in orangepi-config"
LINUX = "github.com/torvalds/linux, arch/arm64/boot/dts/rockchip"
SBC_BENCH = "github.com/ThomasKaiser/sbc-bench, results"
RADXA = "github.com/radxa-docs/docs"
ORANGE_PI = "github.com/orangepi-xunlong/wiringOP and github.com/adafruit/Adafruit_Blinka"


def header(table: str) -> tuple[HeaderPin, ...]:
    """Read ``PIN=BANK GROUP NUMBER`` as Rockchip's manuals name lines: ``3=4B3`` is line 11 of gpio4."""
    found = re.findall(r"(\d+)=(\d)([A-D])([0-7])", table)
    return tuple(HeaderPin(int(pin), f"gpio{bank}", "ABCD".index(group) * 8 + int(n)) for pin, bank, group, n in found)


FAMILY = Profile(
    id="",
    name="",
    soc="",
    architecture="aarch64",
    gpio_chip_labels=GPIO_LABELS,
    throttle_sources=THROTTLING,
    power_modes=POWER_MODES,
    cameras=CAMERAS,
    kernel_at_least="5.10",
    os_at_least="Debian 12 or Ubuntu 22.04, 64-bit",
    unverified=("throttle_sources",),
)
OF_RK3588 = replace(
    FAMILY,
    soc="RK3588",
    clusters=(Cluster("Cortex-A55", 4, V8_2), Cluster("Cortex-A76", 4, V8_2)),
    ram_options_bytes=(4 * GIB, 8 * GIB, 16 * GIB),
    accelerators=(CPU, NPU_3588, EDGE_TPU, GPU),
    thermal_zones_mainline=(
        "package-thermal", "bigcore0-thermal", "bigcore2-thermal", "littlecore-thermal", "center-thermal",
        "gpu-thermal", "npu-thermal",
    ),
    thermal_zones_vendor=(
        "soc-thermal", "bigcore0-thermal", "bigcore1-thermal", "littlecore-thermal", "center-thermal", "gpu-thermal",
        "npu-thermal",
    ),
)  # fmt: skip
OF_RK3566 = replace(
    FAMILY,
    soc="RK3566",
    clusters=(Cluster("Cortex-A55", 4, V8_2),),
    ram_options_bytes=(1 * GIB, 2 * GIB, 4 * GIB, 8 * GIB),
    accelerators=(CPU, EDGE_TPU, NPU_RKNN, GPU),
    uarts=(CONSOLE_ON_HEADER,),
    thermal_zones_mainline=("cpu-thermal", "gpu-thermal"),
    thermal_zones_vendor=("soc-thermal", "cpu-thermal", "gpu-thermal"),
)
# The headers of the Zero 3W and the Rock 3C, which differ in pin 26. Pins 3, 5, 27 and 28 have extra pull-ups.
RADXA_3566 = """
    3=1A0 5=1A1 7=3C4 8=0D1 10=0D0 11=3A1 12=3A3 13=3A2 15=3B0 16=3B1 18=3B2 19=4C3 21=4C5 22=3C1 23=4C2 24=4C6
    27=4B2 28=4B3 29=3B3 31=3B4 32=3C2 33=3C3 35=3A4 36=3A7 37=1A4 38=3A6 40=3A5
"""
RADXA_3566_I2C = (
    Port("/dev/i2c-3", "header pins 3 (SDA) and 5 (SCL)", BY_RSETUP),
    Port("/dev/i2c-4", "header pins 27 (SDA) and 28 (SCL)", BY_RSETUP),
)
SPI3_0 = Port("/dev/spidev3.0", "header pins 19, 21, 23; select on 24", BY_RSETUP)
SPI3_1 = Port("/dev/spidev3.1", "header pins 19, 21, 23; select on 26", BY_RSETUP)

NO_ENGINE = (
    "Its maker's system is built on uClibc, for which no engine has wheels (the one for 32-bit Arm needs glibc 2.34), "
    "and its NPU runs only models compiled by Rockchip's RKNN."
)
LUCKFOX = Profile(
    id="",
    name="",
    soc="",
    architecture="armv7l",
    clusters=(Cluster("Cortex-A7", 1, V7),),
    accelerators=(NPU_RKNN,),
    gpio_chip_labels=GPIO_LABELS,
    uarts=(Port("/dev/ttyFIQ0", "the console, at 115 200 baud"),),
    thermal_zones_vendor=("soc-thermal",),
    cameras=(CameraStack("v4l2", "USB cameras"),),
    unsupported=NO_ENGINE,
    unverified=("accelerators", "gpio_chip_labels", "thermal_zones_vendor", "cameras"),
    sources=("github.com/LuckfoxTECH/luckfox-pico, sysdrv/source/kernel/arch/arm/boot/dts",),
)

PROFILES = (
    replace(
        OF_RK3588,
        id="rock-5b",
        name="Radxa ROCK 5B",
        compatibles=("radxa,rock-5b",),
        models=("Radxa ROCK 5B",),
        header_pins=header("""
            3=4B3 5=4B2 7=3C3 8=0B5 10=0B6 11=3C1 12=3B5 13=3B7 15=3C0 16=3A4 18=4C4 19=1B2 21=1B1 23=1B3 24=1B4 26=1B5
            27=4C6 28=4C5 29=1D7 31=1B7 32=3C2 33=3A7 35=3B6 36=3B1 38=3B2 40=3B3
        """),
        uarts=(CONSOLE_ON_HEADER,),
        i2c_buses=(
            Port("/dev/i2c-7", "header pins 3 (SDA) and 5 (SCL)", BY_RSETUP),
            Port("/dev/i2c-8", "header pins 7 (SDA) and 32 (SCL)", BY_RSETUP),
        ),
        spi_buses=(
            Port("/dev/spidev0.0", "header pins 19, 21, 23; select on 24", BY_RSETUP),
            Port("/dev/spidev0.1", "header pins 19, 21, 23; select on 26", BY_RSETUP),
        ),
        sources=(LINUX, SBC_BENCH, RADXA),
    ),
    replace(
        OF_RK3588,
        id="orangepi-5",
        name="Orange Pi 5",
        soc="RK3588S",
        compatibles=("xunlong,orangepi-5", "rockchip,rk3588s-orangepi-5"),
        models=("Xunlong Orange Pi 5", "Orange Pi 5"),
        header_pins=header("""
            3=1B7 5=1B6 7=1C6 8=4A3 10=4A4 11=4B2 12=0D5 13=4B3 15=0D4 16=1D3 18=1D2 19=1C1 21=1C0 22=2D4 23=1C2 24=1C4
            26=1A3
        """),
        uarts=(
            replace(CONSOLE, where="the 3-pin debug plug; the console, at 1 500 000 baud"),
            Port("/dev/ttyS0", "header pins 8 and 10", BY_ORANGEPI_CONFIG),
        ),
        i2c_buses=(Port("/dev/i2c-5", "header pins 3 (SDA) and 5 (SCL)", BY_ORANGEPI_CONFIG),),
        spi_buses=(Port("/dev/spidev4.1", "header pins 19, 21, 23; select on 24", BY_ORANGEPI_CONFIG),),
        unverified=(*FAMILY.unverified, "cameras", "uarts"),
        sources=(LINUX, SBC_BENCH, ORANGE_PI),
    ),
    replace(
        OF_RK3566,
        id="rock-3a",
        name="Radxa ROCK 3A",
        soc="RK3568",
        compatibles=("radxa,rock3a",),
        models=("Radxa ROCK 3A", "Radxa ROCK3 Model A"),
        # Only what revisions 1.2 and 1.3 share.
        header_pins=header("""
            3=1A0 5=1A1 8=0D1 10=0D0 11=3C4 12=3A3 13=3C5 15=0C0 18=3B2 19=4C3 21=4C5 23=4C2 24=4C6 26=4D1 29=2D7 31=3A0
            32=3C2 33=3C3 35=3A4 36=3A2 38=3A6 40=3A5
        """),
        i2c_buses=(Port("/dev/i2c-3", "header pins 3 (SDA) and 5 (SCL)", BY_RSETUP),),
        spi_buses=(SPI3_0, SPI3_1),
        unverified=(*FAMILY.unverified, "accelerators"),
        sources=(LINUX, SBC_BENCH, RADXA),
    ),
    replace(
        OF_RK3566,
        id="radxa-zero-3w",
        name="Radxa ZERO 3W",
        compatibles=("radxa,zero-3w",),
        models=("Radxa ZERO 3W",),
        header_pins=header(RADXA_3566),
        i2c_buses=RADXA_3566_I2C,
        spi_buses=(SPI3_0,),
        sources=(LINUX, RADXA),
    ),
    replace(
        OF_RK3566,
        id="rock-3c",
        name="Radxa ROCK 3C",
        compatibles=("radxa,rock-3c",),
        models=("Radxa ROCK 3C",),
        ram_options_bytes=(1 * GIB, 2 * GIB, 4 * GIB),
        header_pins=header(RADXA_3566 + "26=4D1"),
        i2c_buses=RADXA_3566_I2C,
        spi_buses=(SPI3_0, SPI3_1),
        sources=(LINUX, RADXA),
    ),
    replace(
        OF_RK3566,
        id="orangepi-3b",
        name="Orange Pi 3B",
        compatibles=("xunlong,orangepi-3b", "xunlong,orangepi-3b-v1.1", "xunlong,orangepi-3b-v2.1"),
        models=("Xunlong Orange Pi 3B v1.1", "Xunlong Orange Pi 3B v2.1"),
        # The sources differ on pin 26.
        header_pins=header("""
            3=4B4 5=4B5 7=4C3 8=0D1 10=0D0 11=3C6 12=3C7 13=4A0 15=4A2 16=4A3 18=4A1 19=4B2 21=4B0 22=4A4 23=4B3 24=4A6
            27=1A0 28=1A1 29=4A5 31=3D4 32=4C0 33=3D7 35=3D0 36=3D5 37=3D3 38=3D2 40=3D1
        """),
        i2c_buses=(
            Port("/dev/i2c-2", "header pins 3 (SDA) and 5 (SCL)", BY_ORANGEPI_CONFIG),
            Port("/dev/i2c-3", "header pins 27 (SDA) and 28 (SCL)", BY_ORANGEPI_CONFIG),
        ),
        spi_buses=(Port("/dev/spidev3.0", "header pins 19, 21, 23; select on 24", BY_ORANGEPI_CONFIG),),
        unverified=(*FAMILY.unverified, "cameras"),
        sources=(LINUX, ORANGE_PI),
    ),
    # All of them claim to be one evaluation board of Rockchip's, for the RV1103 even where they carry an RV1106.
    replace(
        LUCKFOX,
        id="luckfox-pico",
        name="Luckfox Pico, Mini, Plus (RV1103)",
        soc="RV1103",
        models=(
            "Luckfox Pico", "Luckfox Pico Mini", "Luckfox Pico Mini A", "Luckfox Pico Mini B", "Luckfox Pico Plus",
            "Luckfox Pico WebBee",
        ),
        ram_options_bytes=(64 * MIB,),
    ),
    replace(
        LUCKFOX,
        id="luckfox-pico-rv1106",
        name="Luckfox Pico Pro, Max, Ultra, Zero, Pi, 86Panel (RV1106)",
        soc="RV1106",
        models=(
            "Luckfox Pico Pro", "Luckfox Pico Max", "Luckfox Pico Ultra", "Luckfox Pico Ultra W", "Luckfox Pico Zero",
            "Luckfox Pico Pi", "Luckfox Pico Pi W", "Luckfox Pico 86Panel", "Luckfox Pico 86Panel W",
        ),
        ram_options_bytes=(128 * MIB, 256 * MIB),
    ),
)  # fmt: skip
