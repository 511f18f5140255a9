"""NVIDIA's Jetson developer kits, as data.

Sources
-------
Names: Linux' device trees (arch/arm64/boot/dts/nvidia), github.com/NVIDIA/jetson-gpio and, as booted, runs of sbc-bench
(github.com/ThomasKaiser/sbc-bench, results), which also show cores and features. Headers and chip labels:
github.com/NVIDIA/jetson-gpio, gpio_pin_data.py (line offsets of chips, by BOARD number). I2C and SPI numbers:
github.com/adafruit/Adafruit_Blinka, microcontroller/tegra.
"""

from __future__ import annotations

from dataclasses import replace

from boards.accelerator import CPU, Accelerator
from boards.profile import (
    GIB,
    CameraStack,
    Cluster,
    HeaderPin,
    Port,
    PowerMode,
    Profile,
    ThrottleSource,
)

__all__ = ["PROFILES"]

A57 = frozenset({"fp", "asimd", "aes", "pmull", "sha1", "sha2", "crc32"})
CARMEL = A57 | {"atomics", "fphp", "asimdhp"}
A78AE = CARMEL | {"asimdrdm", "lrcpc", "dcpop", "asimddp", "uscat", "ilrcpc", "flagm"}

GPU = Accelerator(
    "GPU", None, True,
    "Not reachable: Jetsons have no OpenCL, so the engine has no way to it.",
)  # fmt: skip
DLA = Accelerator("DLA", None, True, "Not reachable: TensorRT has a way to it, with models of its own.")
TENSOR_RT = Accelerator(
    "GPU", None, True,
    "Not reachable: Jetsons have no OpenCL, so the engine has no way to it. TensorRT has, with models of its own.",
)  # fmt: skip

THROTTLING = (
    ThrottleSource("sys/class/hwmon/hwmon*/oc*_event_cnt", "over-current events since boot"),
    ThrottleSource(
        "sys/devices/system/cpu/cpu*/cpufreq/cpuinfo_cur_freq",
        "below scaling_cur_freq: the firmware holds the clock back, and tells nobody",
    ),
    ThrottleSource("command:nvpmodel -q", "the power mode, which caps cores and clocks"),
)
POWER_MODES = (
    PowerMode(
        "nvpmodel", "nvpmodel -p --verbose lists the modes, nvpmodel -q tells which is on, -m ID sets one (root)"
    ),
    PowerMode("jetson_clocks", "holds the clocks at the mode's maximum until the next start (root)"),
)
CAMERAS = (
    CameraStack("gst-argus", "cameras on the ribbon connector, by GStreamer, through the image processor"),
    CameraStack("v4l2", "USB cameras and microscopes; ribbon cameras raw"),
)
MODULE_SPI = (
    Port("/dev/spidev0.0", "header pins 19, 21, 23; select on 24", "switch it on in jetson-io.py"),
    Port("/dev/spidev0.1", "header pins 19, 21, 23; select on 26", "switch it on in jetson-io.py"),
)
ORIN_I2C = (
    Port("/dev/i2c-7", "header pins 3 (SDA) and 5 (SCL)"),
    Port("/dev/i2c-1", "header pins 27 (SDA) and 28 (SCL)"),
)
ORIN_CONSOLE = Port("/dev/ttyTCU0", "the debug port; the console, at 115 200 baud")
ORIN_ZONES = (
    "cpu-thermal", "gpu-thermal", "cv0-thermal", "cv1-thermal", "cv2-thermal", "soc0-thermal", "soc1-thermal",
    "soc2-thermal", "tj-thermal",
)  # fmt: skip
# JetPack 5 writes them so (sbc-bench saw SOC2-therm), JetPack 6 as Linux does.
ORIN_ZONES_VENDOR = (
    "CPU-therm", "GPU-therm", "CV0-therm", "CV1-therm", "CV2-therm", "SOC0-therm", "SOC1-therm", "SOC2-therm",
    "tj-therm",
)  # fmt: skip
SOURCES = (
    "github.com/torvalds/linux, arch/arm64/boot/dts/nvidia",
    "github.com/NVIDIA/jetson-gpio, gpio_pin_data.py",
    "github.com/ThomasKaiser/sbc-bench, results",
    "github.com/adafruit/Adafruit_Blinka, microcontroller/tegra",
)


def header(main_label: str, lines: dict[int, int], always_on: dict[int, int] | None = None) -> tuple[HeaderPin, ...]:
    """Lay header pins out on the lines of the main chip, and of the one that is always on."""
    pins = [HeaderPin(pin, main_label, line) for pin, line in lines.items()]
    pins += [HeaderPin(pin, f"{main_label}-aon", line) for pin, line in (always_on or {}).items()]
    return tuple(sorted(pins, key=lambda each: each.pin))


FAMILY = Profile(
    id="",
    name="",
    soc="",
    architecture="aarch64",
    accelerators=(CPU, TENSOR_RT, DLA),
    spi_buses=MODULE_SPI,
    throttle_sources=THROTTLING,
    power_modes=POWER_MODES,
    cameras=CAMERAS,
    sources=SOURCES,
)
OF_TEGRA234 = replace(
    FAMILY,
    soc="Tegra234",
    gpio_chip_labels=("tegra234-gpio", "tegra234-gpio-aon"),
    i2c_buses=ORIN_I2C,
    thermal_zones_mainline=ORIN_ZONES,
    thermal_zones_vendor=ORIN_ZONES_VENDOR,
    kernel_at_least="5.10",
    os_at_least="JetPack 5 (Ubuntu 20.04, with a Python 3.10 of one's own) or JetPack 6 (Ubuntu 22.04)",
)

PROFILES = (
    replace(
        FAMILY,
        id="jetson-nano",
        name="NVIDIA Jetson Nano Developer Kit",
        soc="Tegra210",
        compatibles=(
            "nvidia,p3450-0000", "nvidia,p3450-0002", "nvidia,p3541-0000", "nvidia,jetson-nano",
            "nvidia,p3449-0000-b00+p3448-0000-b00",
        ),
        models=("NVIDIA Jetson Nano Developer Kit", "NVIDIA Jetson Nano 2GB Developer Kit"),
        clusters=(Cluster("Cortex-A57", 4, A57),),
        ram_options_bytes=(2 * GIB, 4 * GIB),
        accelerators=(CPU, GPU),
        gpio_chip_labels=("tegra-gpio",),
        header_pins=header("tegra-gpio", {
            7: 216, 11: 50, 12: 79, 13: 14, 15: 194, 16: 232, 18: 15, 19: 16, 21: 17, 22: 13, 23: 18, 24: 19, 26: 20,
            29: 149, 31: 200, 32: 168, 33: 38, 35: 76, 36: 51, 37: 12, 38: 77, 40: 78,
        }),
        uarts=(Port("/dev/ttyS0", "the debug header; the console"), Port("/dev/ttyTHS1", "header pins 8 and 10")),
        i2c_buses=(
            Port("/dev/i2c-1", "header pins 3 (SDA) and 5 (SCL)"),
            Port("/dev/i2c-0", "header pins 27 (SDA) and 28 (SCL)"),
        ),
        thermal_zones_mainline=("cpu-thermal", "gpu-thermal", "mem-thermal", "pllx-thermal"),
        thermal_zones_vendor=("CPU-therm", "GPU-therm", "PLL-therm"),
        # The maker's last system for it has Ubuntu 18.04, whose own Python is too old.
        kernel_at_least="4.9",
        os_at_least="JetPack 4.6 (Ubuntu 18.04) with a Python 3.10 of one's own, or a newer Debian or Ubuntu",
        unverified=("thermal_zones_vendor",),
    ),
    replace(
        FAMILY,
        id="jetson-xavier-nx",
        name="NVIDIA Jetson Xavier NX Developer Kit",
        soc="Tegra194",
        compatibles=(
            "nvidia,p3509-0000+p3668-0000", "nvidia,p3509-0000+p3668-0001", "nvidia,p3449-0000+p3668-0000",
            "nvidia,p3449-0000+p3668-0001",
        ),
        models=(
            "NVIDIA Jetson Xavier NX Developer Kit", "NVIDIA Jetson Xavier NX Developer Kit (SD-card)",
            "NVIDIA Jetson Xavier NX Developer Kit (eMMC)",
        ),
        clusters=(Cluster("Carmel", 6, CARMEL),),
        ram_options_bytes=(8 * GIB, 16 * GIB),
        gpio_chip_labels=("tegra194-gpio", "tegra194-gpio-aon"),
        header_pins=header("tegra194-gpio", {
            7: 118, 11: 112, 12: 127, 13: 149, 16: 153, 18: 152, 19: 162, 21: 161, 22: 150, 23: 160, 24: 163, 26: 164,
            29: 105, 31: 106, 32: 108, 33: 84, 35: 130, 36: 113, 37: 151, 38: 129, 40: 128,
        }, {15: 16}),
        uarts=(ORIN_CONSOLE, Port("/dev/ttyTHS0", "header pins 8 and 10")),
        i2c_buses=(
            Port("/dev/i2c-8", "header pins 3 (SDA) and 5 (SCL)"),
            Port("/dev/i2c-1", "header pins 27 (SDA) and 28 (SCL)"),
        ),
        thermal_zones_mainline=(
            "cpu-thermal", "gpu-thermal", "aux-thermal", "pllx-thermal", "ao-thermal", "tj-thermal",
        ),
        thermal_zones_vendor=("CPU-therm", "GPU-therm", "AUX-therm", "AO-therm", "PMIC-Die"),
        kernel_at_least="4.9",
        os_at_least="JetPack 4.6 or 5 with a Python 3.10 of one's own",
        unverified=("uarts", "thermal_zones_vendor"),
    ),
    replace(
        OF_TEGRA234,
        id="jetson-orin-nano",
        name="NVIDIA Jetson Orin Nano Developer Kit",
        compatibles=(
            "nvidia,p3768-0000+p3767-0003", "nvidia,p3768-0000+p3767-0004", "nvidia,p3768-0000+p3767-0005",
            "nvidia,p3509-0000+p3767-0003", "nvidia,p3509-0000+p3767-0004", "nvidia,p3509-0000+p3767-0005",
        ),
        models=(
            "NVIDIA Jetson Orin Nano Developer Kit", "NVIDIA Orin Nano Developer Kit",
            "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit",
        ),
        clusters=(Cluster("Cortex-A78AE", 6, A78AE),),
        ram_options_bytes=(4 * GIB, 8 * GIB),
        # NVIDIA left the DLA out of the Nano.
        accelerators=(CPU, TENSOR_RT),
        header_pins=header("tegra234-gpio", {
            7: 144, 11: 112, 12: 50, 13: 122, 15: 85, 16: 126, 18: 125, 19: 135, 21: 134, 22: 123, 23: 133, 24: 136,
            26: 137, 29: 105, 31: 106, 32: 41, 33: 43, 35: 53, 36: 113, 37: 124, 38: 52, 40: 51,
        }),
        uarts=(ORIN_CONSOLE, Port("/dev/ttyTHS1", "header pins 8 and 10")),
        unverified=("uarts", "thermal_zones_vendor"),
    ),
    replace(
        OF_TEGRA234,
        id="jetson-agx-orin",
        name="NVIDIA Jetson AGX Orin Developer Kit",
        compatibles=(
            "nvidia,p3737-0000+p3701-0000", "nvidia,p3737-0000+p3701-0004", "nvidia,p3737-0000+p3701-0005",
            "nvidia,p3737-0000+p3701-0008",
        ),
        models=("NVIDIA Jetson AGX Orin Developer Kit",),
        # 8 cores on the 32 GB module.
        clusters=(Cluster("Cortex-A78AE", 12, A78AE),),
        ram_options_bytes=(32 * GIB, 64 * GIB),
        header_pins=header("tegra234-gpio", {
            7: 106, 11: 112, 12: 50, 13: 108, 15: 85, 18: 43, 19: 135, 21: 134, 22: 96, 23: 133, 24: 136, 26: 137,
            35: 53, 36: 113, 38: 52, 40: 51,
        }, {16: 9, 29: 1, 31: 0, 32: 8, 33: 2, 37: 3}),
        uarts=(ORIN_CONSOLE,),
        unverified=("clusters", "thermal_zones_vendor"),
    ),
)  # fmt: skip
