"""All checks by their ids, in the order in which they are told. A new one is a function and a line here."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from edge_sdk.errors import UnknownCheck

__all__ = ["CHECKS", "GROUPS", "Check", "find_checks"]

_QUICK_S = 10.0
# Modules come from a slow card, models are packed for the first time: the slowest boards take half of these.
_LIBRARIES_S, _CAMERA_S, _MODEL_S = 30.0, 90.0, 180.0
_DELEGATE_S = 300.0  # longer than its own steps may take, so that it can say which of them hung


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at.

    Attributes
    ----------
    id : str
        Stays the same for ever: scripts ask for it.
    asks : str
        What is looked at.
    home : str
        The function, as ``module:name``; a dot in front stands for this package. It takes `Surroundings`, and yields
        one `Finding` for each thing that it looked at.
    limit_s : float
        When it counts as hanging.
    apart : bool
        Whether it gets a process of its own, because it uses devices or measures memory; the others share one.
    """

    id: str
    asks: str
    home: str
    limit_s: float = _QUICK_S
    apart: bool = False

    @property
    def group(self) -> str:
        """The first part of its id."""
        return self.id.partition(".")[0]


# Heading -> groups of checks.
GROUPS = {
    "Board and system": ("board", "cpu", "os", "python", "time"),
    "Memory and storage": ("memory", "disk", "swap", "flash"),
    "Power and heat": ("throttle",),
    "Cameras": ("camera",),
    "Serial ports and pins": ("serial", "gpio"),
    "Models": ("delegate", "bundle", "cache", "inference"),
}

CHECKS = (
    Check("board.known", "Is this a board that the SDK knows and runs on?", ".machine:board_known"),
    Check("cpu.features", "Has the processor what the installed libraries use?", ".machine:cpu_features"),
    Check("os.kernel", "Is the kernel as new as this board needs?", ".machine:os_kernel"),
    Check("os.release", "Are system and C library ones that the libraries run on?", ".machine:os_release"),
    Check("python.version", "Is this Python one that the SDK runs on?", ".machine:python_version"),
    Check("python.packages", "Can the libraries be loaded?", ".machine:python_packages", _LIBRARIES_S, apart=True),
    Check("time.set", "Is the clock set, and kept right?", ".machine:time_set"),
    Check("memory.free", "Is there memory for the shipped model?", ".memory:memory_free", _LIBRARIES_S),
    Check("disk.free", "Is there room where bundles and packed weights lie?", ".storage:disk_free", _LIBRARIES_S),
    Check("swap.flash", "Is memory swapped to a card or to flash, which wears it?", ".storage:swap_flash"),
    Check("flash.wear", "How much of its life has the flash behind it?", ".storage:flash_wear"),
    Check("throttle.now", "Is the board slowed down at this moment, and why?", ".throttling:throttle_now"),
    Check("throttle.boot", "Was it slowed down since it was started?", ".throttling:throttle_boot"),
    Check("camera.answers", "Is a camera there, and may this user open it?", ".camera:camera_answers", _LIBRARIES_S),
    Check("camera.frames", "Does each camera deliver new frames?", ".camera:camera_frames", _CAMERA_S, apart=True),
    Check("serial.ports", "Which serial ports are there, and has each its driver?", ".serial:serial_ports"),
    Check("serial.permission", "May this user open the serial ports?", ".serial:serial_permission"),
    Check("serial.modemmanager", "Does another service take the serial ports?", ".serial:serial_modemmanager"),
    Check("gpio.chips", "Are the board's GPIO chips there, by their labels?", ".gpio:gpio_chips"),
    Check(
        "delegate.teflon", "Does the NPUs' delegate answer as the CPU does?", ".model:teflon",
        _DELEGATE_S, apart=True,
    ),
    Check(
        "delegate.edgetpu", "Does the Edge TPU's answer as the CPU does?", ".model:edgetpu",
        _DELEGATE_S, apart=True,
    ),
    Check("bundle.verified", "Is every bundle whole?", ".model:bundle_verified", _MODEL_S, apart=True),
    Check("cache.weights", "Can packed weights be kept, and are they whole?", ".model:cache_weights", _LIBRARIES_S),
    Check("cache.quota", "How much of their quota do packed weights take?", ".model:cache_quota", _LIBRARIES_S),
    Check(
        "inference.answer", "Does the shipped model give the expected answer?", ".inference:inference_answer",
        _MODEL_S, apart=True,
    ),
    Check(
        "inference.memory", "Does it take the memory that its plan says?", ".inference:inference_memory",
        _MODEL_S, apart=True,
    ),
)  # fmt: skip


def find_checks(wanted: Sequence[str] = ()) -> tuple[Check, ...]:
    """Give the checks of some ids or groups, in the usual order; all of them where none is named.

    Raises
    ------
    UnknownCheck
        There is none of that name; the error names those that look alike.

    Examples
    --------
    >>> [check.id for check in find_checks(["time", "camera.frames"])]
    ['time.set', 'camera.frames']
    """
    known = dict.fromkeys([*(check.id for check in CHECKS), *(check.group for check in CHECKS)])
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            raise UnknownCheck(
                f"There is no check {name!r}.",
                why=f"Did you mean {' or '.join(near)}?" if near else None,
                fix=f"Groups are {', '.join(dict.fromkeys(check.group for check in CHECKS))}.",
            )
    return tuple(check for check in CHECKS if not wanted or {check.id, check.group}.intersection(wanted))
