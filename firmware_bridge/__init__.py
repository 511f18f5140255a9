"""The bridge between a board and the microcontroller that holds its sensors, outputs and axes.

Public names are loaded on first use, so that ``import firmware_bridge`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firmware_bridge.bridge import Bridge, open_bridge
    from firmware_bridge.error import (
        BridgeError,
        BridgeTimeout,
        NotAllowed,
        OutcomeUnknown,
        PortBusy,
        Refused,
        Restarted,
        StaleReading,
    )
    from firmware_bridge.heartbeat import HEARTBEAT
    from firmware_bridge.pins import open_pins
    from firmware_bridge.reading import Reading

# Public name -> module.
_HOME = {
    "HEARTBEAT": "firmware_bridge.heartbeat",
    "Bridge": "firmware_bridge.bridge",
    "BridgeError": "firmware_bridge.error",
    "BridgeTimeout": "firmware_bridge.error",
    "NotAllowed": "firmware_bridge.error",
    "OutcomeUnknown": "firmware_bridge.error",
    "PortBusy": "firmware_bridge.error",
    "Reading": "firmware_bridge.reading",
    "Refused": "firmware_bridge.error",
    "Restarted": "firmware_bridge.error",
    "StaleReading": "firmware_bridge.error",
    "open_bridge": "firmware_bridge.bridge",
    "open_pins": "firmware_bridge.pins",
}

__all__ = [
    "HEARTBEAT",
    "Bridge",
    "BridgeError",
    "BridgeTimeout",
    "NotAllowed",
    "OutcomeUnknown",
    "PortBusy",
    "Reading",
    "Refused",
    "Restarted",
    "StaleReading",
    "open_bridge",
    "open_pins",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'firmware_bridge' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
