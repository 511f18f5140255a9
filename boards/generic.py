"""Machines that no table describes: what holds on any of them."""

from __future__ import annotations

from boards.accelerator import CPU, EDGE_TPU, Accelerator
from boards.profile import CameraStack, Profile, ThrottleSource

__all__ = ["PROFILES"]

ANY_CAMERA = (CameraStack("v4l2", "USB cameras and microscopes"),)
FREQUENCY = ThrottleSource(
    "sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq", "a frequency below the one asked for while busy"
)

PROFILES = (
    Profile(
        id="generic",
        name="Unknown board",
        soc="unknown",
        architecture="any",
        accelerators=(CPU, EDGE_TPU),
        throttle_sources=(FREQUENCY,),
        cameras=ANY_CAMERA,
        kernel_at_least="4.9",
    ),
    Profile(
        id="pc",
        name="PC",
        soc="x86-64",
        architecture="x86_64",
        accelerators=(
            CPU,
            EDGE_TPU,
            Accelerator("GPU", None, False, "Not used: the SDK is built for boards, and runs PCs on their CPU."),
        ),
        throttle_sources=(
            ThrottleSource("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count", "heat, since boot"),
            FREQUENCY,
        ),
        cameras=ANY_CAMERA,
        kernel_at_least="4.9",
    ),
)
