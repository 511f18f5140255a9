"""Boards of Raspberry Pi Ltd, as data.

Sources
-------
Names, header, UARTs, I2C, SPI: the device trees of github.com/raspberrypi/linux (arch/arm/boot/dts/broadcom:
bcm2710-rpi-zero-2-w, bcm2710-rpi-3-b-plus, bcm2711-rpi-4-b, bcm2712-rpi-5-b, bcm2712-rpi-cm5), whose
``gpio-line-names`` give the header pin of each line for the Pi 5. The GPIO chip labels: Linux' pinctrl-bcm2835 and
pinctrl-rp1 drivers. CPU features and zones: runs of sbc-bench on these boards (github.com/ThomasKaiser/sbc-bench).
RAM: github.com/raspberrypi/documentation, revision-codes.adoc.
"""

from __future__ import annotations

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

# Broadcom left the crypto instructions out of the BCM2837 and the BCM2711.
V8_0 = frozenset({"fp", "asimd", "crc32"})
V8_2 = V8_0 | {"aes", "pmull", "sha1", "sha2", "atomics", "fphp", "asimdhp", "asimdrdm", "lrcpc", "dcpop", "asimddp"}

# Header pin -> GPIO line; the same on every board with 40 pins. 27 and 28 belong to the EEPROM of a HAT.
LINE_OF_PIN = {
    3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 11: 17, 12: 18, 13: 27, 15: 22, 16: 23, 18: 24, 19: 10, 21: 9, 22: 25,
    23: 11, 24: 8, 26: 7, 27: 0, 28: 1, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21,
}  # fmt: skip

GPU = unreachable_gpu("VideoCore GPU")
HAILO = Accelerator(
    "Hailo (AI Kit, AI HAT+)", None, False,
    "Not reachable: it runs models compiled by Hailo's own tools, which are not TFLite models.",
)  # fmt: skip

THROTTLING = (
    ThrottleSource(
        "sys/devices/platform/soc*/soc*firmware/get_throttled",
        "under-voltage, capped frequency, throttling and the soft heat limit: bits 0 to 3 now, 16 to 19 since boot",
    ),
    ThrottleSource("command:vcgencmd get_throttled", "the same bits, for kernels without the file"),
    ThrottleSource("sys/class/hwmon/hwmon*/in0_lcrit_alarm", "under-voltage, without vcgencmd"),
)
GOVERNOR = PowerMode("cpufreq governor", "write ondemand, performance or powersave to scaling_governor (root)")
CAMERAS = (
    CameraStack("rpicam", "cameras on the ribbon connector, by libcamera"),
    CameraStack("gst-libcamera", "the same by GStreamer, where its libcamera plug-in is installed"),
    CameraStack("v4l2", "USB cameras and microscopes"),
)
I2C = (Port("/dev/i2c-1", "header pins 3 (SDA) and 5 (SCL)", "dtparam=i2c_arm=on in config.txt"),)
SPI = (
    Port("/dev/spidev0.0", "header pins 19, 21, 23; select on 24", "dtparam=spi=on in config.txt"),
    Port("/dev/spidev0.1", "header pins 19, 21, 23; select on 26", "dtparam=spi=on in config.txt"),
)
MINI_UART = Port("/dev/ttyS0", "header pins 8 and 10, also the console", "enable_uart=1 in config.txt; /dev/serial0")
UARTS_2712 = (
    Port("/dev/ttyAMA10", "the 3-pin debug plug; the console"),
    Port("/dev/ttyAMA0", "header pins 8 and 10", "dtparam=uart0=on in config.txt"),
)
SOURCES = (
    "device trees of github.com/raspberrypi/linux",
    "github.com/raspberrypi/documentation, revision-codes.adoc",
    "github.com/ThomasKaiser/sbc-bench, results",
)


def header(chip_label: str) -> tuple[HeaderPin, ...]:
    """Lay the 40 pins out on the lines of a chip."""
    return tuple(HeaderPin(pin, chip_label, line) for pin, line in LINE_OF_PIN.items())


# Debian 12 is the first whose C library the wheels of the engine accept (2.34 on 32-bit) and whose Python is one of
# 3.10 to 3.13. The kernels are those of the first Raspberry Pi OS on it that knows the board.
FAMILY = Profile(
    id="",
    name="",
    soc="",
    architecture="aarch64",
    accelerators=(CPU, EDGE_TPU, GPU),
    i2c_buses=I2C,
    spi_buses=SPI,
    thermal_zones_mainline=("cpu-thermal",),
    thermal_zones_vendor=("cpu-thermal",),
    throttle_sources=THROTTLING,
    power_modes=(GOVERNOR,),
    cameras=CAMERAS,
    kernel_at_least="6.1",
    os_at_least="Raspberry Pi OS 12 (bookworm): 64-bit, or 32-bit with tflite-runtime",
    sources=SOURCES,
)
OF_BCM2837 = replace(
    FAMILY,
    soc="BCM2837",
    clusters=(Cluster("Cortex-A53", 4, V8_0),),
    gpio_chip_labels=("pinctrl-bcm2835",),
    header_pins=header("pinctrl-bcm2835"),
    uarts=(MINI_UART,),
)
OF_BCM2712 = replace(
    FAMILY,
    soc="BCM2712",
    clusters=(Cluster("Cortex-A76", 4, V8_2),),
    accelerators=(CPU, EDGE_TPU, GPU, HAILO),
    gpio_chip_labels=("pinctrl-rp1",),
    header_pins=header("pinctrl-rp1"),
    uarts=UARTS_2712,
)

PROFILES = (
    replace(
        OF_BCM2837,
        id="rpi-zero-2w",
        name="Raspberry Pi Zero 2 W",
        compatibles=("raspberrypi,model-zero-2-w",),
        models=("Raspberry Pi Zero 2 W", "Raspberry Pi Zero 2"),
        ram_options_bytes=(512 * MIB,),
    ),
    replace(
        OF_BCM2837,
        id="rpi-3b-plus",
        name="Raspberry Pi 3 Model B+",
        compatibles=("raspberrypi,3-model-b-plus",),
        models=("Raspberry Pi 3 Model B+", "Raspberry Pi 3 Model B Plus"),
        ram_options_bytes=(1 * GIB,),
    ),
    replace(
        FAMILY,
        id="rpi-4b",
        name="Raspberry Pi 4 Model B",
        soc="BCM2711",
        compatibles=("raspberrypi,4-model-b",),
        models=("Raspberry Pi 4 Model B",),
        clusters=(Cluster("Cortex-A72", 4, V8_0),),
        ram_options_bytes=(1 * GIB, 2 * GIB, 4 * GIB, 8 * GIB),
        gpio_chip_labels=("pinctrl-bcm2711",),
        header_pins=header("pinctrl-bcm2711"),
        uarts=(MINI_UART,),
    ),
    replace(
        OF_BCM2712,
        id="rpi-5",
        name="Raspberry Pi 5 Model B",
        compatibles=("raspberrypi,5-model-b",),
        models=("Raspberry Pi 5 Model B", "Raspberry Pi 5"),
        ram_options_bytes=(1 * GIB, 2 * GIB, 4 * GIB, 8 * GIB, 16 * GIB),
    ),
    replace(
        OF_BCM2712,
        id="rpi-cm5",
        name="Raspberry Pi Compute Module 5",
        compatibles=("raspberrypi,5-compute-module",),
        models=("Raspberry Pi Compute Module 5",),
        ram_options_bytes=(2 * GIB, 4 * GIB, 8 * GIB, 16 * GIB),
        kernel_at_least="6.6",
        # The header is that of Raspberry Pi's own IO board; another carrier may lead the lines elsewhere.
        unverified=("header_pins",),
    ),
)
