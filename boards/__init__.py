"""Board support: the lowest floor of the SDK. It imports nothing above itself.

Whoever needs only the errors pays only for them: the other names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from boards.errors import EdgeError

if TYPE_CHECKING:
    from boards.accelerator import Accelerator
    from boards.detection import Board, detect
    from boards.processor import Processor
    from boards.profile import (
        CameraStack,
        Cluster,
        HeaderPin,
        Port,
        PowerMode,
        Profile,
        ThrottleSource,
    )
    from boards.registry import find_profile, profiles
    from boards.requirement import Finding, check, check_installed, require

_HOME = {
    "Accelerator": "boards.accelerator",
    "Board": "boards.detection",
    "CameraStack": "boards.profile",
    "Cluster": "boards.profile",
    "Finding": "boards.requirement",
    "HeaderPin": "boards.profile",
    "Port": "boards.profile",
    "PowerMode": "boards.profile",
    "Processor": "boards.processor",
    "Profile": "boards.profile",
    "ThrottleSource": "boards.profile",
    "check": "boards.requirement",
    "check_installed": "boards.requirement",
    "detect": "boards.detection",
    "find_profile": "boards.registry",
    "profiles": "boards.registry",
    "require": "boards.requirement",
}

__all__ = [
    "Accelerator",
    "Board",
    "CameraStack",
    "Cluster",
    "EdgeError",
    "Finding",
    "HeaderPin",
    "Port",
    "PowerMode",
    "Processor",
    "Profile",
    "ThrottleSource",
    "check",
    "check_installed",
    "detect",
    "find_profile",
    "profiles",
    "require",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'boards' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
